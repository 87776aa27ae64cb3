"""What the connections of all echo servers have in common."""

from __future__ import annotations

import asyncio
import socket
import struct

_AT_ONCE = struct.pack("ii", 1, 0)


class Connections:
    """The open connections of a server, so that they can be cut off at its end."""

    def __init__(self) -> None:
        self._open: set[asyncio.Transport] = set()

    def opened(self, transport: asyncio.BaseTransport) -> asyncio.Transport:
        """Keep a connection."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"{transport!r} carries no stream")
        self._open.add(transport)
        return transport

    def closed(self, transport: asyncio.Transport | None) -> None:
        """Forget a connection."""
        if transport is not None:
            self._open.discard(transport)

    def cut(self) -> None:
        """End them all, whatever they were doing."""
        for transport in tuple(self._open):
            transport.abort()


def reset(transport: asyncio.Transport) -> None:
    """End a connection by a TCP reset, in place of a close."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()
