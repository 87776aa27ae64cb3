"""A request as it arrived, and what the echo server says to it, whatever they travelled by."""

from __future__ import annotations

from typing import Any

import msgspec

from serai.echo.endpoint import EchoEndpoint

Headers = tuple[tuple[str, str], ...]

LONGEST_BODY = 64 * 1024
"""Of a longer body, in bytes, only the beginning is kept."""


class EchoRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What arrived, and where."""

    endpoint: EchoEndpoint
    method: str
    target: str
    """Path and query, as they were on the wire."""
    authority: str
    proto: str
    """``HTTP/1.1`` or ``HTTP/2.0``."""
    headers: Headers
    """All but Host and pseudo-headers; names in lower case."""
    body: bytes = b""
    tls: dict[str, Any] | None = None
    """What was agreed by TLS; None without."""

    def header(self, name: str) -> str:
        """All values of a header (in lower case), joined with commas."""
        return ",".join(value for key, value in self.headers if key == name)


class EchoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered, and when."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    trailers: Headers = ()
    delay: float = 0.0
    """Seconds to wait before it."""
    reset: bool = False
    """Nothing is answered: the connection is reset."""
