"""Joins the keys that are fetched to the core, and lets go of what routes required before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from serai.app.core import Committed, Core
from serai.model.key_sets import Fetched
from serai.policies.tokens.requirement import KeySource
from serai.sources.key_sets import KeySetSource

FORGET_SECONDS = 30.0
"""Envoys have long had new routes by then."""
FIRST_SECONDS = 3.0
"""So long it is waited for keys before anybody is answered: who needs longer has none at first."""


class KeySets:
    """Feeds the core with what is fetched, each time as one commit."""

    def __init__(
        self,
        core: Core,
        lock: asyncio.Lock,
        publish: Callable[[Committed], Awaitable[None]],
        folder: Path | None = None,
    ) -> None:
        """`lock` is held while the core changes; `folder` keeps keys over restarts."""
        self._core = core
        self._lock = lock
        self._publish = publish
        self._source = KeySetSource(core.pipeline.settings, self._tell, folder)
        self._told: dict[KeySource, Fetched | None] = {}
        self._any = asyncio.Event()

    def look(self, committed: Committed) -> None:
        """Fetch what a commit asks for, and no more what it does not."""
        fetches = self._core.pipeline.translated.fetches
        self._source.want({each: fetches.row(each) for each in committed.fetches})

    async def first(self) -> None:
        """Have the keys that can be had, before anybody is answered."""
        await self._source.tried(FIRST_SECONDS)
        await self._take()

    async def follow(self) -> None:
        """Bring in what is fetched, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take_always())
            tasks.create_task(self._forget_always())

    async def stop(self) -> None:
        """Fetch nothing more."""
        await self._source.stop()

    def _tell(self, source: KeySource, found: Fetched | None) -> None:
        self._told[source] = found
        self._any.set()

    async def _take_always(self) -> None:
        while True:
            await self._any.wait()
            await self._take()

    async def _forget_always(self) -> None:
        while True:
            await asyncio.sleep(FORGET_SECONDS)
            if self._core.remembers:
                async with self._lock:
                    await self._publish(self._core.forget())

    async def _take(self) -> None:
        async with self._lock:
            told, self._told = self._told, {}
            self._any.clear()
            table = self._core.pipeline.inputs.key_sets
            for source, found in told.items():
                if found is None:
                    table.drop(source)
                else:
                    table.put(source, found)
            if told:
                await self._publish(self._core.commit())
