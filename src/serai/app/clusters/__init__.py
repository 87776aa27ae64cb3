"""Other clusters: followed as Secrets name them, each for itself, and joined with our own.

None of them can hold up anything: each is followed by tasks of its own, and only what came of it
is put in.  What a cluster had stays in force until something newer is known: another
kubeconfig changes nothing until all was read by it, and of a cluster that cannot be reached it
stays for a while.  What no Secret names any more goes at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from typing import Any

import msgspec
import structlog

from serai.api.core import Secret
from serai.api.meta import Key
from serai.api.problem import Problem
from serai.app.clusters.remote import Reach, Remote, Row
from serai.app.clusters.secrets import Member, members, names_clusters, refused
from serai.app.core import Committed, Core
from serai.kube.access import Access, ApiError
from serai.kube.kubeconfig import given_access
from serai.kube.reflector import Delta
from serai.model.others import OtherGateway, OtherKey, OtherService
from serai.sources.cluster import Scope
from serai.views.state import ClusterState

MOST_AT_ONCE = 500
"""Rows of other clusters in one commit."""

log = structlog.get_logger(__name__)


class Following(msgspec.Struct, frozen=True, kw_only=True):
    """How other clusters are followed."""

    namespace: str
    """Where the Secrets are."""
    scope: Scope = Scope()
    grace: float = 900.0
    """For how many seconds what a cluster had stays when it cannot be reached."""
    wait: float = 10.0
    """How many seconds the start waits for them at most."""
    selectors: Mapping[str, Mapping[str, str]] = {}
    """What need not be read at all, by kind."""


class Clusters:
    """All other clusters."""

    def __init__(
        self,
        core: Core,
        lock: asyncio.Lock,
        publish: Callable[[Committed], Awaitable[None]],
        how: Following,
        connect: Callable[[bytes], Access] = given_access,
    ) -> None:
        """`publish` is called with what came of each commit, under the lock."""
        self._core = core
        self._lock = lock
        self._publish = publish
        self._how = how
        self._connect = connect
        self._secrets: dict[Key, Secret] = {}
        self._members: dict[str, Member] = {}
        self._remotes: dict[str, Remote] = {}
        self._refused: dict[str, str] = {}
        """By cluster: why its kubeconfig cannot be used."""
        self._ends: dict[str, float] = {}
        """By such a cluster: until when what it had stays."""
        self._problems: tuple[Problem, ...] = ()
        self._tasks: dict[Remote, asyncio.Task[None]] = {}
        self._held: dict[str, set[Row]] = {}
        """What each cluster has in force, or is to have."""
        self._due: dict[Row, Any] = {}
        """What is to be put in; None: to be dropped."""
        self._whole: dict[str, Remote] = {}
        """Whom all of that is from."""
        self._pending: dict[str, None] = {}
        self._news = asyncio.Event()
        self._settled = asyncio.Event()

    def heard(self, delta: Delta) -> None:
        """Secrets of our own cluster that are new or changed, and those that went."""
        changed = False
        for item in delta.put:
            if item.name.namespace == self._how.namespace:
                changed = self._take(msgspec.json.decode(item.raw, type=Secret)) or changed
        for name in delta.gone:
            changed = self._secrets.pop(Key("Secret", *name), None) is not None or changed
        if changed:
            self._look()

    def _take(self, secret: Secret) -> bool:
        before = self._secrets.pop(secret.key, None)
        if names_clusters(secret):
            self._secrets[secret.key] = secret
        return before != self._secrets.get(secret.key)

    async def first(self) -> None:
        """Wait until everything was read that can be, but not for long."""
        try:
            async with asyncio.timeout(self._how.wait):
                while any(each.reach is Reach.CONNECTING for each in self._remotes.values()):
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            log.warning("clusters.not_waited_for", seconds=self._how.wait)
        await self._put_in()

    async def run(self) -> None:
        """Put in what comes, until cancelled."""
        while True:
            await self._news.wait()
            await self._put_in()

    async def stop(self) -> None:
        """Follow nobody any more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def states(self) -> tuple[ClusterState, ...]:
        """What is known of each, by name."""
        return tuple(self._state(each) for _, each in sorted(self._members.items()))

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with them now."""
        found = list(self._problems)
        for name, member in sorted(self._members.items()):
            remote, why = self._remotes.get(name), self._refused.get(name)
            if why is not None:
                message = f"the kubeconfig of cluster {name} cannot be used: {why}"
                found.append(refused(member.secret, name, message))
            elif remote is not None:
                found += _troubles(remote, self._how.grace)
        return tuple(found)

    def _look(self) -> None:
        """Follow those that Secrets name now, and nobody else."""
        own = self._core.pipeline.settings.cluster_id
        wanted, self._problems = members(self._secrets.values(), own)
        before, self._members = self._members, dict(wanted)
        for name in sorted(before.keys() - wanted.keys()):
            self._forget(name)
            log.info("cluster.left", cluster=name)
        for name, member in wanted.items():
            known = before.get(name)
            if known is None or known.kubeconfig != member.kubeconfig:
                self._follow(member)
            elif name in self._remotes:
                self._remotes[name].member = member
        self._again(*before, *wanted)

    def _follow(self, member: Member) -> None:
        self._forget(member.name)
        self._refused.pop(member.name, None)
        try:
            access = self._connect(member.kubeconfig)
        except ApiError as error:
            self._refused[member.name] = str(error)
            loop = asyncio.get_running_loop()
            self._ends[member.name] = loop.time() + self._how.grace
            loop.call_later(self._how.grace, self._again, member.name)
            log.warning("cluster.refused", cluster=member.name, error=str(error))
            return
        settings, how = self._core.pipeline.settings, self._how
        remote = Remote(member, access, settings, how.scope, how.grace, self._again, how.selectors)
        self._remotes[member.name] = remote
        self._tasks[remote] = asyncio.get_running_loop().create_task(self._guarded(remote))
        log.info("cluster.followed", cluster=member.name, server=access.server)

    def _forget(self, name: str) -> None:
        self._refused.pop(name, None)
        remote = self._remotes.pop(name, None)
        if remote is not None and (task := self._tasks.pop(remote, None)):
            task.cancel()

    async def _guarded(self, remote: Remote) -> None:
        """Whatever goes wrong with one cluster is its own affair."""
        try:
            await remote.run()
        except Exception:
            log.exception("cluster.failed", cluster=remote.member.name)

    def _again(self, *names: str) -> None:
        self._pending.update(dict.fromkeys(names))
        self._news.set()
        self._settled.set()

    async def _put_in(self) -> None:
        """Bring what is in force to what is known; very much of it bit by bit.

        So that a cluster that has just been read holds nobody up for long.
        """
        pending, self._pending = self._pending, {}
        self._news.clear()
        for name in pending:
            self._settle(name)
        while self._due:
            async with self._lock:
                for key in [*islice(self._due, MOST_AT_ONCE)]:
                    row = self._due.pop(key)
                    if row is None:
                        self._table(key).drop(key)
                    else:
                        self._table(key).put(key, row)
                await self._publish(self._core.commit())
            await asyncio.sleep(0)

    def _settle(self, name: str) -> None:
        """Note what is to be put in and dropped of one cluster."""
        remote, held = self._remotes.get(name), self._held.setdefault(name, set())
        if name in self._refused and asyncio.get_running_loop().time() < self._ends[name]:
            return
        if remote is None or remote.reach is Reach.LOST:
            self._whole.pop(name, None)
            self._drop(held)
            self._held.pop(name)
            return
        if remote.at_work or not remote.settled:
            return
        changed, remote.changed = remote.changed, {}
        if self._whole.get(name) is remote:
            rows = {key: remote.row(key) for key in changed}
        else:
            rows = remote.rows()
            self._drop({key for key in held if key not in rows})
            held.intersection_update(rows)
            self._whole[name] = remote
        self._put(rows, held)

    def _put(self, rows: dict[Row, Any], held: set[Row]) -> None:
        for key, row in rows.items():
            if row is None:
                held.discard(key)
            else:
                held.add(key)
            self._due[key] = row

    def _drop(self, keys: set[Row]) -> None:
        self._due.update(dict.fromkeys(keys))

    def _table(self, key: Row) -> Any:
        inputs = self._core.pipeline.inputs
        match key:
            case OtherKey():
                return inputs.other_backends
            case OtherService():
                return inputs.other_services
            case OtherGateway():
                return inputs.other_gateways

    def _state(self, member: Member) -> ClusterState:
        remote = self._remotes.get(member.name)
        held = self._held.get(member.name, ())
        backends = self._core.pipeline.inputs.other_backends
        rows = (backends.row(key) for key in held if isinstance(key, OtherKey))
        endpoints = {each for row in rows if row is not None for each in row.endpoints}
        return ClusterState(
            name=member.name,
            secret=member.secret.namespaced_name,
            server=remote.server if remote else "",
            state=remote.reach if remote else Reach.REFUSED,
            heard=remote.last_heard() if remote else 0.0,
            objects=remote.objects() if remote else 0,
            endpoints=len(endpoints),
        )


def _troubles(remote: Remote, grace: float) -> list[Problem]:
    member = remote.member
    path = f"data[{member.name}]"
    remedy = "See that its API server answers, and that the kubeconfig is still good there."
    match remote.reach:
        case Reach.UNREACHABLE | Reach.LOST as reach:
            kept = (
                f"what it had stays in use for {grace:.0f} s"
                if reach is Reach.UNREACHABLE
                else "nothing of it is used any more"
            )
            message = f"cluster {member.name} cannot be reached, {kept}: {remote.trouble()}"
            return [Problem("SER1212", "error", message, remedy, key=member.secret, path=path)]
        case _:
            return [
                Problem(
                    "SER1213",
                    "warning",
                    f"{kind} of cluster {member.name} cannot be followed: {why}",
                    "Let the user of the kubeconfig list and watch it there.",
                    key=member.secret,
                    path=f"{path} {kind}",
                )
                for kind, why in sorted(remote.forbidden().items())
            ]
