"""Who has connections: what they tell it, and ask of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from serai.server.http2.headers import Request
from serai.server.http2.stream import Exchange, Stream

if TYPE_CHECKING:
    from serai.server.http2.connection import Connection


class Host(Protocol):
    """Whoever listens."""

    def opened(self, connection: Connection) -> None:
        """It is there."""

    def closed(self, connection: Connection) -> None:
        """It is there no more."""

    def refused(self, peer: str, why: str) -> None:
        """Somebody broke the protocol."""

    def accept(self, stream: Stream, request: Request) -> Exchange:
        """Has a request answered by somebody."""
