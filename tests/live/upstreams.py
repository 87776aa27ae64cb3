"""Endpoints that keep what Envoy does to them: connections, requests, what is never accepted."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator

from listening import listening

LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Link:
    """A connection that was made to an endpoint."""

    def __init__(self, peer: tuple[str, int]) -> None:
        self.peer = peer
        self.opened = time.monotonic()
        self.closed = 0.0
        """When the other side ended it; 0 while it is open."""
        self.heads: list[bytes] = []
        """Of the requests so far, as they came."""
        self.body = b""
        """Of the last request that came in chunks, with them and what follows them."""

    @property
    def lasted(self) -> float:
        """Seconds until it was ended; 0 while it is open."""
        return self.closed - self.opened if self.closed else 0.0


class Upstream:
    """What it answers, and what was done to it."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.answer = OK
        """Whole, as it goes on the wire."""
        self.delay = 0.0
        """Seconds before each answer."""
        self.busy = self.most_busy = 0
        """Requests that wait for an answer, now and at most."""
        self.last = b""
        """The head of the last request."""

    @property
    def asked(self) -> list[int]:
        """How many requests came over each connection."""
        return [len(link.heads) for link in self.links]


@contextlib.asynccontextmanager
async def upstream(address: str, port: int = 3000) -> AsyncIterator[Upstream]:
    """Listens while the context lasts.  It speaks HTTP/1.1."""
    server = Upstream()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(writer.get_extra_info("peername"))
        server.links.append(link)
        try:
            while True:
                await _answer(server, link, reader, writer)
        finally:
            link.closed = time.monotonic()

    async with listening(serve, address, port):
        yield server


async def _answer(
    server: Upstream, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    link.heads.append(head)
    server.last = head
    if found := LENGTH.search(head):
        await reader.readexactly(int(found[1]))
    if b"transfer-encoding: chunked" in head:
        link.body = await _chunks(reader)
    server.busy += 1
    server.most_busy = max(server.busy, server.most_busy)
    await asyncio.sleep(server.delay)
    server.busy -= 1
    writer.write(server.answer)
    await writer.drain()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """A body to its end, trailers included."""
    found = [await reader.readline()]
    while size := int(found[-1], 16):
        found.append(await reader.readexactly(size + 2))
        found.append(await reader.readline())
    while found[-1] != b"\r\n":
        found.append(await reader.readline())
    return b"".join(found)


@contextlib.contextmanager
def black_hole(address: str, port: int = 3000) -> Iterator[None]:
    """A place where a connection is neither accepted nor refused: its queue is full."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(0)
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # its own signature
            waiting.connect_ex((address, port))
        yield
