"""The head of a request, and of an answer.  RFC 9113, section 8; RFC 7541 (HPACK)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from hpack import Decoder, Encoder, NeverIndexedHeaderTuple
from hpack.exceptions import HPACKError, OversizedHeaderListError

from serai.server.http2.frames import (
    END_HEADERS,
    Code,
    ConnectionFault,
    Frame,
    Kind,
    content_of,
)

LARGEST: Final = 65_536
"""Bytes of a head, packed or not; a token of a ServiceAccount has some 1,000."""

_PSEUDO: Final = frozenset({":method", ":scheme", ":path", ":authority"})
_NEEDED: Final = frozenset({":method", ":scheme", ":path"})
_OF_CONNECTIONS: Final = frozenset(
    {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"}
)
_ENCODER: Final = Encoder()
"""One for all connections: nothing that it writes is kept in a table."""

Pairs = tuple[tuple[str, str], ...]


class Request(msgspec.Struct, frozen=True):
    """The head of a request."""

    method: str
    path: str
    headers: Pairs
    """In the order that they came in, names in lower case."""

    def header(self, name: str) -> str:
        """The first value of a header; empty where there is none."""
        return next((value for each, value in self.headers if each == name), "")


class HeadReader:
    """Puts heads together and unpacks them; each connection has a table of its own."""

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=LARGEST)
        self._first: Frame | None = None
        self._block = bytearray()

    @property
    def waits(self) -> bool:
        """Whether a head has begun and not ended, so that nothing else may come."""
        return self._first is not None

    def begin(self, found: Frame) -> tuple[Frame, Pairs] | None:
        """A HEADERS frame; what it has, unless more is to come.  Raises ConnectionFault."""
        if not found.stream % 2:
            raise ConnectionFault(Code.PROTOCOL_ERROR, f"HEADERS of stream {found.stream}")
        if found.flags & END_HEADERS:
            return found, self._unpacked(content_of(found))
        self._first, self._block = found, bytearray(content_of(found))
        return None

    def go_on(self, found: Frame) -> tuple[Frame, Pairs] | None:
        """Whatever comes next; the HEADERS frame that it belongs to, and what that has."""
        first = self._first
        if first is None or found.kind != Kind.CONTINUATION or found.stream != first.stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a head is interrupted")
        self._block += found.payload
        if len(self._block) > LARGEST or not found.payload:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "a head that does not end")
        if not found.flags & END_HEADERS:
            return None
        self._first = None
        return first, self._unpacked(bytes(self._block))

    def _unpacked(self, block: bytes) -> Pairs:
        """Names and values.  After a fault the table is of no use, nor is the connection."""
        try:
            found = self._decoder.decode(block, raw=True)
        except OversizedHeaderListError as error:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "a head that is too large") from error
        except (HPACKError, UnicodeError, IndexError) as error:
            words = f"a head that cannot be unpacked: {error}"
            raise ConnectionFault(Code.COMPRESSION_ERROR, words) from error
        return tuple((_text(name), _text(value)) for name, value in found)


def _text(found: bytes | str) -> str:
    return found if isinstance(found, str) else found.decode("latin-1")


def request_of(pairs: Pairs) -> Request | str:
    """A request; or what is wrong with it, in words.  RFC 9113, sections 8.2 and 8.3."""
    pseudo: dict[str, str] = {}
    plain: list[tuple[str, str]] = []
    for name, value in pairs:
        if not name.startswith(":"):
            plain.append((name, value))
        elif plain or name in pseudo or name not in _PSEUDO:
            return f"{name} where it cannot be"
        else:
            pseudo[name] = value
    missing = _NEEDED - pseudo.keys()
    if missing:
        return f"no {min(missing)}"
    wrong = wrong_fields(plain)
    return wrong or Request(pseudo[":method"], pseudo[":path"], tuple(plain))


def wrong_fields(plain: Iterable[tuple[str, str]]) -> str:
    """What is wrong with fields, which may be trailers; empty if nothing is."""
    for name, value in plain:
        if not name or name != name.lower() or name.startswith(":") or not name.isascii():
            return f"{name!r} is no name of a field"
        if name in _OF_CONNECTIONS or (name == "te" and value != "trailers"):
            return f"{name} is not for HTTP/2"
        if any(each in value for each in "\0\r\n"):
            return f"{name} has a value with a line's end in it"
    return ""


def packed(pairs: Iterable[tuple[str, str]]) -> bytes:
    """A head to send."""
    found = (NeverIndexedHeaderTuple(name, value) for name, value in pairs)
    return bytes(_ENCODER.encode(found, huffman=False))
