"""What the admin API needs of a running instance."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol, TypeVar

from serai.views.state import State

Found = TypeVar("Found")


class Changes:
    """Tells whoever follows that something may have changed; a burst is one change."""

    def __init__(self) -> None:
        self.generation = 0
        """How often something has changed."""
        self._closed = False
        self._news = asyncio.Event()

    def tell(self) -> None:
        """Something has changed."""
        self.generation += 1
        self._wake()

    def close(self) -> None:
        """Nothing will change any more: ends all that follow."""
        self._closed = True
        self._wake()

    async def follow(self) -> AsyncIterator[int]:
        """The generation now, then each later one that it is awake for; ends when closed."""
        seen = -1
        while not self._closed:
            if seen == self.generation:
                await self._news.wait()
                continue
            seen = self.generation
            yield seen

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class Instance(Protocol):
    """A running instance, as far as it is shown."""

    @property
    def changes(self) -> Changes:
        """Told after each commit, when an Envoy changes its state, and when a client does."""

    async def read(self, question: Callable[[State], Found], *, health: bool = False) -> Found:
        """What `question` finds in everything there is to see now.

        It runs in a thread, so that long lists hold up nobody; nothing changes while it reads.
        With `health` each Envoy was asked what it thinks of its endpoints.
        """

    def waiting_for(self) -> str:
        """What has to happen before it serves; empty once it does."""

    def lacks(self) -> str:
        """Without what nothing can be served, though it is ready; empty where nothing lacks."""
