"""URLs of key sets: what of them can be fetched."""

from __future__ import annotations

from urllib.parse import urlsplit

from serai.ir.origin import Value
from serai.policies.feature import Fault

LONGEST = 2048
_PORTS = {"http": 80, "https": 443}


class Parsed(Value, frozen=True):
    """A URL that can be fetched."""

    text: str
    host: str
    port: int


def parsed(text: str) -> Parsed | Fault:
    """A URL with http or https and a host, without a password; or why it is none."""
    if len(text) > LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        return Fault("", "it is not a URL")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return Fault("", f'"{text}" is not a URL')
    if parts.scheme not in _PORTS or not parts.hostname:
        return Fault("", f'"{text}" is not a URL of http or https')
    if parts.username is not None or parts.password is not None:
        return Fault("", "it names a user, which is not sent")
    return Parsed(text, parts.hostname, port or _PORTS[parts.scheme])
