"""Processes beside the measured one: who answers, who asks, who subscribes.

Each ends when its input ends, and so with the process that started it, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from bench.load import Counted
from bench.prober import Shown, Watch

LINE_BYTES = 1 << 24


class Child:
    """A module of the suite in a process of its own: lines go in, and lines come out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, module: str, *arguments: object) -> Child:
        """Start ``python -m bench.MODULE``."""
        command = (sys.executable, "-m", f"bench.{module}", *map(str, arguments))
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, limit=LINE_BYTES
            )
        )

    def write(self, message: Any) -> None:
        """Hand it a line of JSON."""
        assert self._process.stdin is not None  # noqa: S101  # it has a pipe
        self._process.stdin.write(msgspec.json.encode(message) + b"\n")

    async def line(self) -> bytes:
        """The next line that it prints."""
        assert self._process.stdout is not None  # noqa: S101  # it has a pipe
        line = await self._process.stdout.readline()
        if not line:
            raise SystemExit("a process of the suite has ended; what was wrong is said above")
        return line.strip()

    def end_input(self) -> None:
        """Tell it that nothing more will come."""
        assert self._process.stdin is not None  # noqa: S101  # it has a pipe
        self._process.stdin.close()

    async def stop(self) -> None:
        """End it, and wait until it has ended."""
        self.end_input()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@contextlib.asynccontextmanager
async def upstream(port: int) -> AsyncIterator[None]:
    """Every endpoint, for as long as it is needed."""
    child = await Child.start("upstream", port)
    await child.line()
    try:
        yield
    finally:
        await child.stop()


class Prober:
    """Finds out when a change shows."""

    def __init__(self, child: Child) -> None:
        self._child = child

    async def begin(self, watch: Watch) -> None:
        """Start to ask; returns once there was a first answer, before which nothing is changed."""
        self._child.write(watch)
        await self._child.line()

    async def shown(self) -> Shown:
        """What came of it."""
        return msgspec.json.decode(await self._child.line(), type=Shown)


@contextlib.asynccontextmanager
async def prober() -> AsyncIterator[Prober]:
    """A prober, for as long as it is needed."""
    child = await Child.start("prober")
    try:
        yield Prober(child)
    finally:
        await child.stop()


@contextlib.asynccontextmanager
async def load(port: int, services: int, rate: float) -> AsyncIterator[Counted]:
    """Requests to a proxy while the block runs; what became of them is there after it."""
    child = await Child.start("load", port, services, rate)
    await child.line()
    counted = Counted()
    try:
        yield counted
    finally:
        child.end_input()
        found = msgspec.json.decode(await child.line(), type=Counted)
        for name in Counted.__struct_fields__:
            setattr(counted, name, getattr(found, name))
        await child.stop()


def free_port() -> int:
    """A TCP port that nobody has, below those that the kernel hands out by itself."""
    while True:
        port = random.randint(15_000, 31_000)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            return port
