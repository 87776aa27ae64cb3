"""Texts that Envoy fills in from what it knows of a request."""

from __future__ import annotations

from serai.ir.origin import Value


class Format(Value, frozen=True):
    """A text or a JSON object with operators such as ``%REQ(:path)%`` in it."""

    text: str = ""
    json: str = ""
    """The object, as JSON; empty: it is a text."""
    content_type: str = ""
    """Empty: text/plain, or application/json."""
