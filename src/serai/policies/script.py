"""What no filter of Envoy's does by itself, as scripts.  Envoy: envoy.filters.http.lua.

The scripts are ours, word by word; what users write gets into them as quoted texts only.
"""

from __future__ import annotations

import string
from collections.abc import Iterable

from google.protobuf.message import Message

from serai.proto.envoy import Lua

FILTER = "envoy.filters.http.lua"
_PLAIN = frozenset(f"{string.ascii_letters}{string.digits}".encode())
"""Bytes that mean themselves in a quoted text."""


def script(source: str) -> tuple[str, Message]:
    """A filter that runs a script."""
    return FILTER, Lua(default_source_code={"inline_string": source})


def quoted(text: str) -> str:
    """A text as Lua reads it; whatever is in it, it ends where it ends."""
    letters = (chr(each) if each in _PLAIN else f"\\{each:03d}" for each in text.encode())
    return f'"{"".join(letters)}"'


def table(texts: Iterable[str]) -> str:
    """A list of texts."""
    return "{" + ", ".join(quoted(each) for each in texts) + "}"
