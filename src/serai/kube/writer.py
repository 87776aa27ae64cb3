"""Statuses written to the API server: on change only, at a limited rate, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from random import Random
from time import monotonic
from typing import Any

import msgspec
import structlog

from serai.api.meta import Key
from serai.kube.access import JSON_PATCH, Access, ApiError
from serai.kube.backoff import Backoff
from serai.kube.queue import Queue
from serai.kube.resource import Resource
from serai.kube.statuses import Observed, Write, observe, to_write
from serai.kube.wire import Name

log = structlog.get_logger(__name__)

WRITES_PER_SECOND = 50.0

CONFLICTS = frozenset({409, 422})
"""Somebody wrote meanwhile; a patch whose test fails is answered 422."""

Wanted = Callable[[Key], dict[str, Any] | None]
Find = Callable[[str], Awaitable[Resource | None]]


class StatusWriter:
    """Brings the statuses of objects to what they should be, as long as we are the leader."""

    def __init__(
        self,
        access: Access,
        find: Find,
        wanted: Wanted,
        leading: Callable[[], bool],
        *,
        rate: float = WRITES_PER_SECOND,
    ) -> None:
        """`wanted` says what is to be written on an object; None: nothing of ours."""
        self.writes = 0
        """Since the start, those that were taken."""
        self._access = access
        self._find = find
        self._wanted = wanted
        self._leading = leading
        self._pause = 1.0 / rate
        self._observed: dict[Key, bytes | Observed] = {}
        self._queue = Queue()
        self._backoffs: dict[Key, Backoff] = {}
        self._random = Random()  # noqa: S311  spreads load, and guards nothing
        self._news = asyncio.Event()

    def saw(self, key: Key, raw: bytes | None) -> None:
        """An object as it is now, in JSON; None: it is gone."""
        if raw is None:
            self._observed.pop(key, None)
            self._queue.drop(key)
            self._backoffs.pop(key, None)
            return
        # Read only when it is looked at: on replicas that do not lead, never.
        self._observed[key] = raw
        self._queue.drop(key)
        self.look([key])

    def look(self, keys: Iterable[Key]) -> None:
        """What is wanted of these may have changed."""
        for key in keys:
            if key in self._observed:
                self._queue.soon(key)
        self._news.set()

    def uid(self, key: Key) -> str:
        """Of an object that was seen; empty if it was not."""
        observed = self._observed.get(key)
        if isinstance(observed, bytes):
            observed = self._observed[key] = observe(observed)
        return observed.uid if observed else ""

    def look_at_all(self) -> None:
        """We are the leader now."""
        self.look(list(self._observed))

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                key = await self._next()
                due = self._due(key) if self._leading() else None
                if due is None:
                    self._queue.done(key)
                    await asyncio.sleep(0)  # there may be very many of these
                    continue
                tasks.create_task(self._write(key, *due))
                await asyncio.sleep(self._pause)

    async def _next(self) -> Key:
        while True:
            self._news.clear()
            now = monotonic()
            due = self._queue.take(now)
            if due is not None:
                return due
            soonest = self._queue.soonest(now)
            try:
                async with asyncio.timeout(None if soonest is None else soonest - now):
                    await self._news.wait()
            except TimeoutError:
                pass

    def _due(self, key: Key) -> tuple[Observed, Write] | None:
        """What is to be written on what; None if nothing is."""
        try:
            observed = self._observed.get(key)
            if isinstance(observed, bytes):
                observed = self._observed[key] = observe(observed)
            if observed is None:
                return None
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            write = to_write(key.kind, self._wanted(key), observed, now)
        except Exception:
            # Whatever may stand in a status that no schema checks, no other object waits for it.
            log.exception("status.broken", object=str(key))
            return None
        if write is None:
            self._backoffs.pop(key, None)
            return None
        return observed, write

    async def _write(self, key: Key, observed: Observed, write: Write) -> None:
        try:
            await self._send(key, observed, write)
        except ApiError as error:
            await self._failed(key, error, write)
        except Exception:
            log.exception("status.broken", object=str(key))
        finally:
            self._queue.done(key)
            self._news.set()

    async def _send(self, key: Key, observed: Observed, write: Write) -> None:
        resource = await self._find(key.kind)
        if resource is None or not self._leading():
            return
        name = Name(key.namespace, key.name)
        if write.form == "patch":
            answer = await self._access.patch(
                resource, name, _patch(observed, write), JSON_PATCH, "status"
            )
        else:
            meta: dict[str, Any] = {"uid": observed.uid}
            if write.guarded:
                meta["resourceVersion"] = observed.version
            body = {"metadata": meta, "status": write.status}
            answer = await self._access.apply(resource, name, body, subresource="status")
        self.writes += 1
        self._backoffs.pop(key, None)
        if key in self._observed:
            self._observed[key] = observe(msgspec.json.encode(answer))
        log.debug("status.written", object=str(key))

    async def _failed(self, key: Key, error: ApiError, write: Write) -> None:
        backoff = self._backoffs.setdefault(key, Backoff(self._random, first=0.1))
        wait = max(backoff.next(), error.failure.retry_after)
        if error.status in CONFLICTS and write.form == "apply":
            # What others say does not change what we have to say.  A patch is different: what was
            # allocated by others is for the pipeline to take in, so it waits to be told.
            await self._read_again(key)
        elif error.status == 404:  # noqa: PLR2004
            return  # its deletion is on the way to us
        log.info("status.not_written", object=str(key), error=str(error), again_seconds=wait)
        self._queue.later(key, monotonic() + wait)

    async def _read_again(self, key: Key) -> None:
        try:
            resource = await self._find(key.kind)
            if resource is not None and key in self._observed:
                found = await self._access.get(resource.path(Name(key.namespace, key.name)))
                self._observed[key] = observe(found)
        except ApiError as error:
            log.info("status.not_read", object=str(key), error=str(error))


def _patch(observed: Observed, write: Write) -> list[dict[str, Any]]:
    """A patch that is refused where somebody wrote since: none of two allocators wins unseen."""
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": observed.version},
        {"op": "add", "path": "/status", "value": write.status},
    ]
