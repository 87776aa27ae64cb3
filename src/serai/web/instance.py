"""What the admin API needs of a running instance."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from serai.views.state import State


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
        """Told after each commit, and when an Envoy comes, goes or changes its state."""

    def state(self) -> State:
        """Everything there is to see now."""

    def waiting_for(self) -> str:
        """What has to happen before it serves; empty once it does."""
