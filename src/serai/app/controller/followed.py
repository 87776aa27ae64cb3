"""What the API server tells, brought where it belongs: objects, definitions, and what is amiss."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from serai.api.kinds import KINDS, Kind, by_kind
from serai.api.meta import Key
from serai.api.problem import Problem
from serai.app.bundles import bundles_of
from serai.app.controller.definitions import Definitions
from serai.incremental import Table
from serai.kube.access import Access
from serai.kube.cluster import Cluster, Wanted
from serai.kube.reflector import Delta
from serai.kube.wire import Failure
from serai.sources.cluster import ClusterSource, Scope

SELECTORS: Mapping[str, Mapping[str, str]] = {
    "Pod": {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"},
    "Secret": {
        "fieldSelector": "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token"
    },
    "ConfigMap": {"fieldSelector": "metadata.name!=kube-root-ca.crt"},
}
"""What need not be read at all, by kind."""

STATUS_KINDS = frozenset(
    kind.name
    for kind in KINDS
    if kind.group not in {"", "discovery.k8s.io"} or kind.name == "Service"
) - {"ReferenceGrant"}
"""The kinds that we may have something to say on."""


class Followed:
    """Our own cluster's objects as a source, and as the status writer is to see them."""

    def __init__(self, access: Access, scope: Scope, bundles: Table[str, str]) -> None:
        """`bundles` gets the versions of CRDs."""
        self.source = ClusterSource(scope)
        self.cluster = Cluster(
            access, wanted_kinds(), self._heard, tell_definitions=self._heard_definitions
        )
        self.definitions = Definitions(self.cluster.versions)
        self.synced = asyncio.Event()
        """Set once everything there is was told."""
        self.on_secrets: Callable[[Delta], None] = lambda _: None
        self._bundles = bundles
        self._seen: dict[Key, bytes | None] = {}

    def seen(self) -> dict[Key, bytes | None]:
        """What statuses are of, as it is now, since the last call; None: it is gone.

        For the status writer, with the next commit: were it earlier, it would compare what is
        there now with what we had to say before, and take back what somebody else allocated.
        """
        seen, self._seen = self._seen, {}
        return seen

    def troubles(self, others: Mapping[str, Failure]) -> list[Problem]:
        """What cannot be followed now, `others` beside kinds, and which kinds are missing."""
        remedy = "See that the ServiceAccount may list and watch it, and that the server answers."
        return [
            Problem("SER1201", "error", f"{kind} cannot be followed: {failure}", remedy)
            for kind, failure in {**self.cluster.troubles(), **others}.items()
        ] + list(self.definitions.problems())

    def _heard(self, name: str, delta: Delta) -> None:
        kind = by_kind(name)
        if kind is not None and delta:
            gone = [Key(name, each.namespace, each.name) for each in delta.gone]
            self.source.take(kind, (item.raw for item in delta.put), gone)
            self._saw(kind, delta)
            if name == "Secret":
                self.on_secrets(delta)
        else:
            self.source.tell()
            self._look_at_definitions()
        self._look_whether_synced()

    def _look_at_definitions(self) -> None:
        if self.cluster.synced:
            self.definitions.look(self.cluster.absent())

    def _heard_definitions(self, delta: Delta) -> None:
        found = bundles_of(delta)
        for definition, version in found.items():
            if version is None:
                self._bundles.drop(definition)
            else:
                self._bundles.put(definition, version)
        if found:
            self.source.tell()
        self._look_whether_synced()

    def _look_whether_synced(self) -> None:
        if not self.synced.is_set() and self.cluster.synced and self.cluster.knows_definitions:
            self._look_at_definitions()
            self.synced.set()

    def _saw(self, kind: Kind, delta: Delta) -> None:
        if kind.name not in STATUS_KINDS:
            return
        self._seen.update((Key(kind.name, *name), None) for name in delta.gone)
        self._seen.update((Key(kind.name, *item.name), item.raw) for item in delta.put)


def wanted_kinds() -> tuple[Wanted, ...]:
    """Every kind that is read."""
    return tuple(
        Wanted(kind.name, kind.group, kind.plural, kind.versions, SELECTORS.get(kind.name, {}))
        for kind in KINDS
    )
