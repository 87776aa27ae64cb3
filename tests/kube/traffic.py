"""Requests without end, and Services that lead them to whoever is there at the moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Self

import httpx2

Address = tuple[str, int]

CLIENTS = 4
PAUSE_SECONDS = 0.03
SECONDS = 40.0
"""For anything that is waited for."""


class Traffic:
    """Some clients, each of which sends one request after the other over connections it keeps."""

    def __init__(self, url: str, host: str = "") -> None:
        self.url = url
        self.answers: list[str] = []
        """What was answered, or what went wrong."""
        self._headers = {"host": host} if host else {}

    def __str__(self) -> str:
        """What was answered how often, for a message."""
        return str(dict(Counter(self.answers)))

    def failed(self) -> Counter[str]:
        """All that was no good answer."""
        return Counter(each for each in self.answers if not each.startswith("200"))

    async def only(self, answer: str) -> None:
        """Wait until every request is answered so."""
        async with asyncio.timeout(SECONDS):
            while True:
                before = len(self.answers)
                await asyncio.sleep(0.5)
                assert not self.failed(), self
                if set(self.answers[before:]) == {f"200 {answer}"}:
                    return

    async def _ask(self) -> None:
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            while True:
                try:
                    answer = await client.get(self.url, headers=self._headers)
                    self.answers.append(f"{answer.status_code} {answer.text}")
                except httpx2.HTTPError as error:
                    self.answers.append(f"{type(error).__name__} {error}")
                await asyncio.sleep(PAUSE_SECONDS)

    @contextlib.asynccontextmanager
    async def flowing(self) -> AsyncIterator[Self]:
        """It flows from the first good answer until the end, when none may have failed."""
        tasks = [asyncio.create_task(self._ask()) for _ in range(CLIENTS)]
        try:
            async with asyncio.timeout(30):
                while not any(each.startswith("200") for each in self.answers):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            self.answers.clear()
            yield self
            assert self.answers
            assert not self.failed(), self
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Balancer:
    """A Service: gives each new connection to one of those that are ready, in turn.

    What it has given away stays where it is, as with a kernel's own.
    """

    def __init__(self, *targets: Address) -> None:
        self.targets = list(targets)
        self.port = 0
        self.taken: Counter[Address] = Counter()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = 0

    def cut(self) -> None:
        """End every connection."""
        for each in self._open:
            each.transport.abort()

    @contextlib.asynccontextmanager
    async def serving(self, host: str = "127.0.0.1") -> AsyncIterator[Address]:
        """Serves until the end; where."""
        server = await asyncio.start_server(self._serve, host, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield host, self.port
        finally:
            server.close()
            self.cut()
            for each in tuple(self._tasks):
                each.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            if self.targets:
                self._turn += 1
                target = self.targets[self._turn % len(self.targets)]
                # Cancelled at the end, which Python 3.11 would write a traceback of.
                with contextlib.suppress(OSError, asyncio.CancelledError):
                    await self._join(reader, writer, target)
        finally:
            writer.close()
            self._open.discard(writer)
            self._tasks.discard(task)

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Address
    ) -> None:
        there, back = await asyncio.open_connection(*target)
        self.taken[target] += 1
        self._open.add(back)
        try:
            await asyncio.gather(_pass(reader, back), _pass(there, writer))
        finally:
            self._open.discard(back)
            back.close()


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Everything, and its end; what goes the other way goes on."""
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    with contextlib.suppress(OSError):
        sink.write_eof()
