"""Answers UDP: each datagram, and who answered, in JSON."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec

from serai.echo.endpoint import EchoEndpoint


class EchoDatagrams(asyncio.DatagramProtocol):
    """One socket."""

    def __init__(self, endpoint: EchoEndpoint) -> None:
        self._told = {
            **msgspec.structs.asdict(endpoint.identity),
            "endpoint": endpoint.where,
        }
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        # asyncio's own is no subclass of what it stands for.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Send it back."""
        if self._transport is not None:
            told = {"request": data.decode(errors="replace"), **self._told}
            self._transport.sendto(msgspec.json.encode(told), addr)
