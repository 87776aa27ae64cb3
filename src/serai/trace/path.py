"""What Envoy makes of a request's path before it looks for a route.

As measured on Envoy 1.40 with normalize_path, merge_slashes and UNESCAPE_AND_REDIRECT.
"""

from __future__ import annotations

import re
import string

from serai.ir.origin import Value

_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
_ESCAPED_BY_ENVOY = frozenset('"<>^`{|}')
_ESCAPED_SLASH = re.compile(r"%2f|%5c", re.IGNORECASE)
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_SLASHES = re.compile(r"/{2,}")
_REFUSED = re.compile(r"[^\x21-\x7e]|#")


class Path(Value, frozen=True):
    """A path with its query, as routes and endpoints see it."""

    text: str
    redirected: bool = False
    """Whether the client is told to ask for this path instead, by 307."""


def normalised(text: str) -> Path | None:
    """The path as Envoy normalises it; None where it answers 400."""
    if _REFUSED.search(text) or not text.startswith("/"):
        return Path(text) if text == "*" else None
    bare, mark, query = text.partition("?")
    unescaped = _ESCAPED_SLASH.sub("/", bare)
    if "%00" in unescaped:
        return None
    characters = _PERCENT.sub(_unescape, unescaped.replace("\\", "/"))
    escaped = "".join(_escape(each) for each in characters)
    canonical = _SLASHES.sub("/", _without_dots(escaped))
    return Path(canonical + mark + query, redirected=unescaped != bare)


def _unescape(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character in _UNRESERVED else found[0]


def _escape(character: str) -> str:
    return f"%{ord(character):02X}" if character in _ESCAPED_BY_ENVOY else character


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4; an empty segment is one that `..` takes away."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for position, segment in enumerate(segments):
        last = position == len(segments) - 1
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
            continue
        if last:
            kept.append("")
    return "/" + "/".join(kept)
