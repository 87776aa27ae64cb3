"""One other cluster, followed: what it shares, and whether it can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from enum import StrEnum
from time import monotonic, time
from typing import Any

import structlog

from serai.api.kinds import KINDS, by_kind
from serai.api.meta import Key
from serai.app.clusters.secrets import Member
from serai.incremental import Node
from serai.ir.distribution import NETWORK
from serai.kube.access import Access
from serai.kube.cluster import Cluster, Wanted
from serai.kube.reflector import Delta
from serai.model.other_catalog import KINDS as READ
from serai.model.other_catalog import other_catalog
from serai.model.others import OtherGateway, OtherKey, OtherService
from serai.model.settings import Settings
from serai.sources.batch import Batch
from serai.sources.cluster import ClusterSource, Scope

log = structlog.get_logger(__name__)

FORBIDDEN = 403
MANY = 500
"""Objects that are computed beside everything else if they come together."""

Row = OtherKey | OtherService | OtherGateway


class Reach(StrEnum):
    """What is known of another cluster."""

    CONNECTING = "connecting"
    """Not everything was read once yet."""
    SYNCED = "synced"
    UNREACHABLE = "unreachable"
    """What it had stays, for a while."""
    LOST = "lost"
    """For so long that nothing of it is used any more."""
    REFUSED = "refused"
    """Its kubeconfig cannot be used."""


class Remote:
    """Follows another cluster, and never writes there."""

    def __init__(
        self,
        member: Member,
        access: Access,
        settings: Settings,
        scope: Scope,
        grace: float,
        tell: Callable[[str], None],
        selectors: Mapping[str, Mapping[str, str]],
    ) -> None:
        """`tell` hears its name whenever something is to be looked at again.

        `grace` is for how many seconds what it had stays when it cannot be reached.
        """
        self.member = member
        self.heard_at = time()
        """When it last answered, in seconds since 1970."""
        self.settled = False
        """Whether everything was read once."""
        self.at_work = False
        """Whether its rows are being computed, and not to be looked at."""
        self.changed: dict[Row, None] = {}
        """What changed since somebody looked."""
        self._access = access
        self._tell = tell
        self._grace = grace
        self._source = ClusterSource(scope)
        self._catalog = other_catalog(member.name, settings)
        self._cluster = Cluster(access, _wanted(selectors), self._heard)
        self._failing_since: float | None = None
        self._lost = False
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._cluster.run())
                tasks.create_task(self._follow())
        finally:
            if self._timer is not None:
                self._timer.cancel()
            await self._access.close()

    @property
    def reach(self) -> Reach:
        """What is known of it now."""
        if self._lost:
            return Reach.LOST
        if self._failing_since is not None:
            return Reach.UNREACHABLE
        return Reach.SYNCED if self.settled else Reach.CONNECTING

    @property
    def server(self) -> str:
        """The address of its API server."""
        return self._access.server

    def last_heard(self) -> float:
        """When it was last known to answer, in seconds since 1970."""
        return self.heard_at if self._failing_since is not None else time()

    def objects(self) -> int:
        """How many of its objects are read."""
        tables = self._catalog.inputs.by_kind
        return sum(len(tables[kind]) for kind in READ)

    def trouble(self) -> str:
        """What goes wrong; empty if nothing does."""
        return next((str(failure) for failure in self._cluster.troubles().values()), "")

    def forbidden(self) -> dict[str, str]:
        """What may not be read there, by kind."""
        troubles = self._cluster.troubles().items()
        return {kind: str(failure) for kind, failure in troubles if failure.status == FORBIDDEN}

    def rows(self) -> dict[Row, Any]:
        """All that it shares."""
        found = self._catalog
        rows: dict[Row, Any] = {}
        rows.update((OtherKey(found.cluster, key), row) for key, row in found.backends.items())
        rows.update((OtherService(found.cluster, key), row) for key, row in found.services.items())
        rows.update((OtherGateway(found.cluster, key), row) for key, row in found.gateways.items())
        return rows

    def row(self, key: Row) -> Any:
        """One thing of that; None: it is not shared any more."""
        match key:
            case OtherKey(_, backend):
                return self._catalog.backends.row(backend)
            case OtherService(_, service):
                return self._catalog.services.row(service)
            case OtherGateway(_, gateway):
                return self._catalog.gateways.row(gateway)

    def _heard(self, name: str, delta: Delta) -> None:
        kind = by_kind(name)
        if kind is not None and delta:
            gone = [Key(name, each.namespace, each.name) for each in delta.gone]
            self._source.take(kind, (item.raw for item in delta.put), gone)
        else:
            self._source.tell()
        self._look_whether_reached()

    def _look_whether_reached(self) -> None:
        troubles, absent = self._cluster.troubles(), self._cluster.absent()
        followed = [kind for kind in self._cluster.wanted if kind not in absent]
        failing = bool(followed) and all(kind in troubles for kind in followed)
        if not failing:
            self.heard_at = time()
        if failing and self._failing_since is None:
            self._failing_since = monotonic()
            self._timer = asyncio.get_running_loop().call_later(self._grace, self._give_up)
            log.warning("cluster.unreachable", cluster=self.member.name, keeps_seconds=self._grace)
        elif not failing and self._failing_since is not None:
            self._failing_since, self._lost = None, False
            if self._timer is not None:
                self._timer.cancel()
            log.info("cluster.reached", cluster=self.member.name)
        else:
            return
        self._tell(self.member.name)

    def _give_up(self) -> None:
        self._lost = True
        log.warning("cluster.lost", cluster=self.member.name)
        self._tell(self.member.name)

    async def _follow(self) -> None:
        async for batch in self._source.changes():
            await self._apply(batch)

    async def _apply(self, batch: Batch) -> None:
        # What was told until now is in the batch; later this may say more than that.
        waits = bool(self._waits_for())
        if len(batch.changed) < MANY:
            found = self._catalog.apply(batch.changed.values(), batch.removed)
        else:
            # It is nobody else's, so that a large cluster need not hold up the others.
            self.at_work = True
            changed = batch.changed.values()
            found = await asyncio.to_thread(self._catalog.apply, changed, batch.removed)
            self.at_work = False
        nodes: tuple[tuple[Node[Any, Any], type[Row]], ...] = (
            (self._catalog.backends, OtherKey),
            (self._catalog.services, OtherService),
            (self._catalog.gateways, OtherGateway),
        )
        for node, row in nodes:
            keys = found.get(node.name, ())
            self.changed.update((row(self._catalog.cluster, key), None) for key in keys)
        self.settled = self.settled or not waits
        self._tell(self.member.name)

    def _waits_for(self) -> list[str]:
        """The kinds of which not everything was read; what we may not read is not waited for."""
        forbidden = self.forbidden()
        return [kind for kind in self._cluster.unsynced() if kind not in forbidden]


def _wanted(selectors: Mapping[str, Mapping[str, str]]) -> tuple[Wanted, ...]:
    chosen = {**selectors, "Gateway": {"labelSelector": NETWORK}}
    return tuple(
        Wanted(kind.name, kind.group, kind.plural, kind.versions, chosen.get(kind.name, {}))
        for kind in KINDS
        if kind.name in READ
    )
