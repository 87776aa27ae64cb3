"""What came of one request."""

from __future__ import annotations

from typing import Any

import msgspec

Headers = tuple[tuple[str, str], ...]


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, and what the echo server says that reached it; or why there was none."""

    error: str = ""
    """What failed before there was an answer."""
    rejected: bool = False
    """The connection was reset, or ended in the midst of it."""
    status: int = 0
    """Of HTTP, or of gRPC."""
    protocol: str = ""
    headers: Headers = ()
    told: dict[str, Any] = {}
    """The echo server's report; empty if what answered is none."""
    asked_for_certificate: bool | None = None

    def header(self, name: str) -> str | None:
        """All values of a header, joined; None if there is none."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return ",".join(found) if found else None

    def arrived(self, name: str) -> str | None:
        """All values of a header as the backend got it, joined; None if there was none."""
        headers: dict[str, list[str]] = self.told.get("headers", {})
        found = [
            each
            for key, values in headers.items()
            if key.lower() == name.lower()
            for each in values
        ]
        return ",".join(found) if found else None
