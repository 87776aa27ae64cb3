"""All kinds of one API server, followed: each by a watcher of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from random import Random
from time import monotonic

import msgspec

from serai.kube.access import Access
from serai.kube.reflector import Delta, Reflector
from serai.kube.resource import Discovery, Resource
from serai.kube.watcher import Watcher
from serai.kube.wire import Failure

FRESH_SECONDS = 2.0
"""For how long what is served need not be asked again."""


class Wanted(msgspec.Struct, frozen=True):
    """A kind to be followed."""

    kind: str
    group: str
    plural: str
    versions: tuple[str, ...]
    """Those that we read, the preferred first."""
    selectors: Mapping[str, str] = {}
    """fieldSelector and labelSelector."""


DEFINITIONS = Wanted(
    "CustomResourceDefinition", "apiextensions.k8s.io", "customresourcedefinitions", ("v1",)
)
"""Followed so that it is known at once when a kind appears or goes."""

Tell = Callable[[str, Delta], None]


class Cluster:
    """Follows kinds, whether they are served or not."""

    def __init__(
        self,
        access: Access,
        wanted: Iterable[Wanted],
        tell: Tell,
        random: Random | None = None,
        tell_definitions: Callable[[Delta], None] = lambda _: None,
    ) -> None:
        """`tell` hears the name of a kind and what has changed; empty: how it is followed.

        `tell_definitions` hears likewise of CustomResourceDefinitions, of these the metadata only.
        """
        self.access = access
        self._random = random or Random()  # noqa: S311  spreads load, and guards nothing
        self._tell = tell
        self._tell_definitions = tell_definitions
        self._discovery: tuple[float, Discovery] | None = None
        self._asking = asyncio.Lock()
        self.wanted = {each.kind: each for each in wanted}
        self._watchers = {kind: self._watcher(each) for kind, each in self.wanted.items()}
        self._definitions = Watcher(
            access,
            DEFINITIONS.kind,
            lambda: self.find(DEFINITIONS),
            Reflector(self._random),
            self._kinds_changed,
            metadata_only=True,
        )

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for watcher in (self._definitions, *self._watchers.values()):
                tasks.create_task(watcher.run())

    @property
    def synced(self) -> bool:
        """Whether everything there is was told once; kinds that are not served do not count."""
        return all(each.reflector.synced for each in self._watchers.values())

    @property
    def knows_definitions(self) -> bool:
        """Whether all CRDs were told once, or cannot be: a server may keep them from us."""
        reflector = self._definitions.reflector
        return reflector.synced or reflector.trouble is not None

    def waiting_for(self) -> tuple[str, ...]:
        """The kinds of which not everything is known yet, each with what is wrong."""
        return tuple(
            f"{kind} ({watcher.reflector.trouble})" if watcher.reflector.trouble else kind
            for kind, watcher in self._watchers.items()
            if not watcher.reflector.synced
        )

    def unsynced(self) -> tuple[str, ...]:
        """The kinds of which not everything is known yet."""
        return tuple(k for k, watcher in self._watchers.items() if not watcher.reflector.synced)

    def troubles(self) -> dict[str, Failure]:
        """What goes wrong now, by kind."""
        return {
            kind: watcher.reflector.trouble
            for kind, watcher in self._watchers.items()
            if watcher.reflector.trouble
        }

    def absent(self) -> tuple[str, ...]:
        """The kinds that are not served."""
        return tuple(k for k, watcher in self._watchers.items() if watcher.reflector.absent)

    def versions(self, kind: str) -> tuple[str, ...]:
        """In which a kind is served, as far as it is known without asking."""
        wanted = self.wanted[kind]
        return self._discovery[1].versions(wanted.group, wanted.plural) if self._discovery else ()

    async def find(self, wanted: Wanted) -> Resource | None:
        """In which version a kind is served.  Raises ApiError if that cannot be asked."""
        found = await self._discover()
        return found.find(wanted.group, wanted.plural, wanted.versions)

    async def _discover(self) -> Discovery:
        async with self._asking:
            if self._discovery is None or monotonic() - self._discovery[0] > FRESH_SECONDS:
                self._discovery = (monotonic(), await self.access.discover())
            return self._discovery[1]

    def _watcher(self, wanted: Wanted) -> Watcher:
        return Watcher(
            self.access,
            wanted.kind,
            lambda: self.find(wanted),
            Reflector(self._random),
            lambda delta: self._tell(wanted.kind, delta),
            wanted.selectors,
        )

    def _kinds_changed(self, delta: Delta) -> None:
        if delta:
            self._discovery = None
            for watcher in self._watchers.values():
                watcher.wake()
        self._tell_definitions(delta)
