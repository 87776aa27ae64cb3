"""An HTTP server that answers with a status of the test's choosing, and counts."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from listening import listening


class Sick:
    """What the server answers, by path; all else with `status`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = 200
        self.delay = 0.0
        """Seconds before each answer."""
        self.paths: dict[str, int] = {}
        self.asked: Counter[str] = Counter()
        self.headers = ""
        """Of each answer, each ending with a line's end."""
        self.hosts: set[str] = set()
        """Host headers of the requests so far."""


@contextlib.asynccontextmanager
async def sick(address: str, port: int, name: str) -> AsyncIterator[Sick]:
    """Listens while the context lasts."""
    server = Sick(name)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                path = head.split(" ")[1]
                server.asked[path] += 1
                server.hosts |= {
                    line.partition(":")[2].strip()
                    for line in head.splitlines()
                    if line.lower().startswith("host:")
                }
                await asyncio.sleep(server.delay)
                status = server.paths.get(path, server.status)
                body = f'{{"pod": "{name}"}}'
                writer.write(
                    f"HTTP/1.1 {status} S\r\ncontent-length: {len(body)}\r\n{server.headers}"
                    f"\r\n{body}".encode()
                )
                await writer.drain()
        writer.close()

    async with listening(answer, address, port):
        yield server
