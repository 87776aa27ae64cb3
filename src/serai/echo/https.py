"""HTTP over TLS: HTTP/2 or HTTP/1.1, as was agreed by ALPN."""

from __future__ import annotations

import asyncio

from serai.echo.connection import Connections
from serai.echo.endpoint import EchoEndpoint
from serai.echo.http import Respond
from serai.echo.http1 import Http1Protocol
from serai.echo.http2 import Http2Protocol

ALPN = ("h2", "http/1.1")


class HttpsProtocol(asyncio.Protocol):
    """A connection until it is known what it speaks."""

    def __init__(self, endpoint: EchoEndpoint, respond: Respond, connections: Connections) -> None:
        self._speaking = (endpoint, respond, connections)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand the connection on."""
        agreed = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        protocol: asyncio.Protocol = (
            Http2Protocol(*self._speaking) if agreed == "h2" else Http1Protocol(*self._speaking)
        )
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
