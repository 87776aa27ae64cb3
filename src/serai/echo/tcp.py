"""Answers TCP: one line that says who answers, then every byte that arrives.

The line comes with the first bytes of the client and not before, since a proxy that looks for TLS
or HTTP waits for those, and the client would wait for the proxy.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from serai.echo.connection import Connections

if TYPE_CHECKING:
    from serai.echo.endpoint import EchoEndpoint


def greeting(endpoint: EchoEndpoint) -> bytes:
    """The first line: ``endpoint 127.0.10.1:6379 shop/redis``."""
    identity = endpoint.identity
    named = "/".join(part for part in (identity.namespace, identity.pod) if part)
    return f"endpoint {endpoint.where} {named}".rstrip().encode() + b"\n"


class EchoProtocol(asyncio.Protocol):
    """One connection.  What the client does not read stops being read from it."""

    def __init__(self, endpoint: EchoEndpoint, connections: Connections) -> None:
        self._first = greeting(endpoint)
        self._connections = connections
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = self._connections.opened(transport)

    def data_received(self, data: bytes) -> None:
        """Send the bytes back."""
        if self._transport is not None:
            self._transport.write(self._first + data)
            self._first = b""

    def pause_writing(self) -> None:
        """Read no more until the client has read."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading."""
        if self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the connection."""
        self._connections.closed(self._transport)
