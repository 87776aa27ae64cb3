"""WebSocket after its handshake: every message comes back."""

from __future__ import annotations

import asyncio

from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Message, Ping
from wsproto.utilities import RemoteProtocolError

from serai.echo.connection import Connections


class WebSocketProtocol(asyncio.Protocol):
    """One connection, from its first frame."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._frames = Connection(ConnectionType.SERVER)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = self._connections.opened(transport)

    def data_received(self, data: bytes) -> None:
        """Send messages back as they were framed."""
        if self._transport is None:
            return
        try:
            self._frames.receive_data(data)
            for event in self._frames.events():
                match event:
                    case Message():
                        self._transport.write(self._frames.send(event))
                    case Ping():
                        self._transport.write(self._frames.send(event.response()))
                    case CloseConnection():
                        self._transport.write(self._frames.send(event.response()))
                        self._transport.close()
                    case _:
                        pass
        except RemoteProtocolError:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the connection."""
        self._connections.closed(self._transport)
