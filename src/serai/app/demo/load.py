"""Requests that go on while other things happen, and how many of them failed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus

import msgspec

from serai.api.problem import Problem
from serai.app.background import Background
from serai.app.client.http import send
from serai.app.client.request import Asked, entry, http_request
from serai.app.demo.steps import Load
from serai.trace.resolve import Unresolved
from serai.web.enter import WayIn

_MAX_SECONDS = 10.0


class Meanwhile(msgspec.Struct, frozen=True):
    """What came of the requests of a while."""

    requests: int
    failed: int
    first: str = ""
    """What became of the first that failed."""


class Requests:
    """Asks at a steady pace, each on a connection of its own."""

    def __init__(self, load: Load, way: Callable[[Asked], WayIn | Unresolved]) -> None:
        self._load = load
        self._way = way
        self._failures: list[str] = []
        self._answered = 0
        self._background = Background()

    def take(self) -> Meanwhile:
        """What came of those that ended since this was asked last."""
        answered, failures = self._answered, self._failures
        self._answered, self._failures = 0, []
        return Meanwhile(answered + len(failures), len(failures), next(iter(failures), ""))

    @contextlib.asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Asks while this is entered."""
        self._background.begin(self._pace())
        try:
            yield
        finally:
            await self._background.stop()

    async def _pace(self) -> None:
        asked = Asked(url=self._load.get, as_=self._load.as_, via=self._load.via)
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._background.begin(self._ask(asked))
            due = max(due + 1 / self._load.per_second, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _ask(self, asked: Asked) -> None:
        way = self._way(asked)
        if isinstance(way, Unresolved):
            self._failures.append(way.message)
            return
        request, _ = http_request(asked, way)
        answer = await send(entry(way), request, _MAX_SECONDS)
        if isinstance(answer, Problem):
            self._failures.append(answer.message)
        elif answer.status >= HTTPStatus.BAD_REQUEST:
            said = answer.body[:80].decode(errors="replace")
            self._failures.append(f"status {answer.status} {said}".strip())
        else:
            self._answered += 1
