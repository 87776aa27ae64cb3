"""A line sent through a proxy as bytes, and what came back."""

from __future__ import annotations

import asyncio

import msgspec

from serai.app.client.http import Entry
from serai.app.client.proxy_protocol import proxy_header

_LINE = b"is anybody there?\n"


class Said(msgspec.Struct, frozen=True):
    """What a server said of itself, and whether our line came back."""

    endpoint: str = ""
    """``address:port`` and the pod; empty if the connection was closed."""
    pod: str = ""
    echoed: bool = False


async def say(entry: Entry, seconds: float) -> Said:
    """Connect, send a line, and read who answers (serai.echo.tcp)."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(*entry.connect)
            try:
                if entry.destination is not None:
                    name = writer.get_extra_info("sockname")
                    local = str(name[0]), int(name[1])
                    writer.write(proxy_header(local, entry.destination, entry.principal))
                writer.write(_LINE)
                first = (await reader.readline()).decode(errors="replace").split()
                back = await reader.readline() if first else b""
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError):
        return Said()
    match first:
        case ["endpoint", endpoint, named]:
            return Said(endpoint, named.rpartition("/")[2], back == _LINE)
        case _:
            return Said()
