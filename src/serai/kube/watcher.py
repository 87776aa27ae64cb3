"""A reflector joined to an API server: one task for each kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

import msgspec
import structlog

from serai.kube.access import Access, ApiError
from serai.kube.reflector import (
    SILENCE_SECONDS,
    Delta,
    List,
    Look,
    Reflector,
    Wait,
    Watch,
)
from serai.kube.resource import Resource
from serai.kube.wire import Event, Failure, read_event, read_page

log = structlog.get_logger(__name__)

METADATA, META = "application/json;as=PartialObjectMetadata", "v=v1;g=meta.k8s.io"
"""What to accept where only the metadata of objects is of interest."""

Find = Callable[[], Awaitable[Resource | None]]
"""Asks the API server in which version a kind is served; None if in none that we read."""


class Watcher:
    """Tells every change of one kind, from now on and as long as it runs."""

    def __init__(
        self,
        access: Access,
        name: str,
        find: Find,
        reflector: Reflector,
        tell: Callable[[Delta], None],
        selectors: Mapping[str, str] | None = None,
        *,
        metadata_only: bool = False,
    ) -> None:
        """`selectors` are the parameters fieldSelector and labelSelector.

        `tell` also hears an empty Delta when the state of the reflector has changed.
        """
        self.name = name
        """Of the kind, for people."""
        self.reflector = reflector
        self.silence = SILENCE_SECONDS
        self._access = access
        self._find = find
        self._tell = tell
        self._selectors = dict(selectors or {})
        self._accept = (
            (METADATA + "List;" + META, METADATA + ";" + META) if metadata_only else ("", "")
        )
        self._resource: Resource | None = None
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something has changed about which kinds are served."""
        self.reflector.wake()
        self._woken.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            step = self.reflector.step(monotonic())
            if not isinstance(step, Wait) and self._resource is None:
                step = Look()
            try:
                match step:
                    case Wait(until):
                        await self._wait(until)
                    case Look():
                        await self._look()
                    case List():
                        await self._list(step)
                    case Watch():
                        await self._watch(step)
            except ApiError as error:
                self._failed(error.failure)
            except msgspec.DecodeError as error:
                self._failed(Failure(message=f"not what an API server says: {error}"))

    def _failed(self, failure: Failure) -> None:
        log.info("kube.failed", kind=self.name, server=self._access.server, error=str(failure))
        self.reflector.failed(failure, monotonic())
        self._tell(Delta())

    async def _wait(self, until: float) -> None:
        self._woken.clear()
        try:
            async with asyncio.timeout(max(0.0, until - monotonic())):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _look(self) -> None:
        found = await self._find()
        was = self.reflector.absent
        self._resource = found
        delta = self.reflector.looked(monotonic(), served=found is not None)
        if delta or was != self.reflector.absent:
            self._tell(delta)

    async def _list(self, step: List) -> None:
        params = {"limit": str(step.limit)} if step.limit else {}
        if step.token:
            params["continue"] = step.token
        data = await self._access.get(self._path(), {**self._selectors, **params}, self._accept[0])
        before = self.reflector.synced, self.reflector.absent
        page = read_page(data)
        delta = self.reflector.listed(page)
        if not page.more:
            log.info("kube.listed", kind=self.name, changed=len(delta.put), gone=len(delta.gone))
        if delta or before != (self.reflector.synced, self.reflector.absent):
            self._tell(delta)

    async def _watch(self, step: Watch) -> None:
        params = {
            **self._selectors,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": step.version,
            "timeoutSeconds": str(step.seconds),
        }
        began = monotonic()
        path, accept = self._path(), self._accept[1]
        async with self._access.watch(path, params, self.silence, accept) as batches:
            if self.reflector.watching():
                self._tell(Delta())
            async for lines in batches:
                if not self._hear(lines):
                    return
        self.reflector.ended(monotonic(), monotonic() - began)

    def _hear(self, lines: list[bytes]) -> bool:
        """Whether the watch goes on."""
        events: list[Event] = []
        failure: Failure | None = None
        for line in lines:
            read = read_event(line) if line.strip() else None
            if isinstance(read, Failure):
                failure = read
                break
            if read is not None:
                events.append(read)
        troubled = self.reflector.trouble is not None
        delta = self.reflector.heard(events)
        if delta or (troubled and self.reflector.trouble is None):
            self._tell(delta)
        if failure is not None:
            self._failed(failure)
        return failure is None

    def _path(self) -> str:
        if self._resource is None:
            raise ApiError(Failure(message=f"{self.name} is not served"))
        return self._resource.path()
