"""HTTP/2 frames as bytes, and bytes as frames.  RFC 9113, sections 3.4, 4, 6 and 7."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client says first."""

HEAD_BYTES: Final = 9
LARGEST: Final = 16_384
"""Bytes of a frame that we take: what everybody has to take."""
LARGEST_ALLOWED: Final = 16_777_215
LARGEST_WINDOW: Final = 2_147_483_647

_HEAD = struct.Struct(">HBBBL")
_SETTING = struct.Struct(">HL")
_NUMBER = struct.Struct(">L")
_NUMBERS = struct.Struct(">LL")


class Kind(IntEnum):
    """Of a frame; others are ignored."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITY: Final = 0x20


class Setting(IntEnum):
    """That a peer tells of itself."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Code(IntEnum):
    """Why a stream or a connection ends."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11


class ConnectionFault(Exception):  # noqa: N818  # what the peer did, not what we did
    """The peer did something after which the connection cannot go on."""

    def __init__(self, code: Code, why: str) -> None:
        super().__init__(why)
        self.code = code


class StreamFault(Exception):  # noqa: N818
    """The peer did something after which one stream cannot go on."""

    def __init__(self, code: Code, stream: int, why: str) -> None:
        super().__init__(why)
        self.code, self.stream = code, stream


class Frame(NamedTuple):
    """One frame."""

    kind: int
    flags: int
    stream: int
    """0: the connection."""
    payload: bytes


class FrameReader:
    """Cuts what comes in into frames, wherever it was cut before."""

    def __init__(self, largest: int = LARGEST, *, greeted: bool = False) -> None:
        """`largest`: bytes of a frame; `greeted`: no preface comes, as from a server."""
        self._rest = b""
        self._largest = largest
        self._greeted = greeted

    def read(self, data: bytes) -> list[Frame]:
        """The frames that are whole by now.  Raises ConnectionFault."""
        if self._rest:
            data = self._rest + data
        at = 0
        if not self._greeted:
            if data[: len(PREFACE)] != PREFACE[: len(data)]:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "it does not speak HTTP/2")
            if len(data) < len(PREFACE):
                self._rest = data
                return []
            self._greeted, at = True, len(PREFACE)
        found: list[Frame] = []
        end = len(data)
        while end - at >= HEAD_BYTES:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, at)
            until = at + HEAD_BYTES + (high << 8 | low)
            if until - at > HEAD_BYTES + self._largest:
                words = f"a frame of {until - at - HEAD_BYTES} bytes, more than {self._largest}"
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, words)
            if until > end:
                break
            payload = data[at + HEAD_BYTES : until]
            found.append(Frame(kind, flags, stream & LARGEST_WINDOW, payload))
            at = until
        self._rest = data[at:] if at else data
        return found


def head(length: int, kind: Kind, flags: int, stream: int) -> bytes:
    """What comes before a payload of so many bytes."""
    return _HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream)


def frame(kind: Kind, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame as bytes."""
    return head(len(payload), kind, flags, stream) + payload


def settings(found: dict[Setting, int]) -> bytes:
    """What we tell of ourselves."""
    payload = b"".join(_SETTING.pack(name, value) for name, value in found.items())
    return frame(Kind.SETTINGS, 0, 0, payload)


def settings_in(found: Frame) -> dict[int, int]:
    """What a peer tells of itself; nothing where it acknowledges.  Raises ConnectionFault."""
    if found.stream:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "SETTINGS of a stream")
    if len(found.payload) % _SETTING.size or (found.flags & ACK and found.payload):
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, "SETTINGS of a size that cannot be")
    told = dict(_SETTING.iter_unpack(found.payload))
    window = told.get(Setting.INITIAL_WINDOW_SIZE, 0)
    if window > LARGEST_WINDOW:
        raise ConnectionFault(Code.FLOW_CONTROL_ERROR, f"an initial window of {window}")
    largest = told.get(Setting.MAX_FRAME_SIZE, LARGEST)
    if not LARGEST <= largest <= LARGEST_ALLOWED:
        raise ConnectionFault(Code.PROTOCOL_ERROR, f"a largest frame of {largest}")
    if told.get(Setting.ENABLE_PUSH, 0) > 1:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "ENABLE_PUSH that is neither 0 nor 1")
    return told


def window_update(stream: int, increment: int) -> bytes:
    """Room for so many more bytes."""
    return frame(Kind.WINDOW_UPDATE, 0, stream, _NUMBER.pack(increment))


def reset(stream: int, code: Code) -> bytes:
    """The end of a stream."""
    return frame(Kind.RST_STREAM, 0, stream, _NUMBER.pack(code))


def go_away(last_stream: int, code: Code, why: str = "") -> bytes:
    """The end of a connection, and the last stream that something was done for."""
    return frame(Kind.GOAWAY, 0, 0, _NUMBERS.pack(last_stream, code) + why.encode()[:256])


def number_in(found: Frame) -> int:
    """The increment, or the error code, in a frame that has nothing else."""
    if len(found.payload) != _NUMBER.size:
        words = f"{Kind(found.kind).name} of {len(found.payload)} bytes"
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, words)
    return int(_NUMBER.unpack(found.payload)[0]) & LARGEST_WINDOW


def content_of(found: Frame) -> bytes:
    """What is in a DATA or HEADERS frame beside padding and priority.  Raises ConnectionFault."""
    payload, before = found.payload, 0
    padding = 0
    if found.flags & PADDED:
        if not payload:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "padding without its length")
        padding, before = payload[0], 1
    if found.kind == Kind.HEADERS and found.flags & PRIORITY:
        before += 5
    if before + padding > len(payload):
        raise ConnectionFault(Code.PROTOCOL_ERROR, "more padding than there are bytes")
    return payload[before : len(payload) - padding] if before else payload
