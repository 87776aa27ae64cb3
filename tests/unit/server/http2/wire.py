"""A connection without a network, and a client of it that may say anything."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

from hpack import Decoder, Encoder

from serai.server.calls import Answering, Call, Methods, Status, accept
from serai.server.http2.connection import Connection
from serai.server.http2.frames import (
    END_HEADERS,
    PREFACE,
    Code,
    Frame,
    FrameReader,
    Kind,
    frame,
)
from serai.server.http2.headers import Request
from serai.server.http2.stream import Stream

REQUEST = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/test/Echo"),
    (":authority", "test"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
)
LARGEST_MESSAGE = 1_000_000


class Wire(asyncio.Transport):
    """Keeps what is written to it, as long as it is open."""

    def __init__(self, peer: tuple[str, int] = ("127.0.0.1", 4711)) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = self.aborted = False
        self.unsent = 0
        self._peer = peer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._peer if name == "peername" else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True


class Echo:
    """Answers each message by itself."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.heard: list[bytes] = []
        self.events: list[str] = []

    def message(self, data: bytes) -> None:
        self.heard.append(data)
        self.call.send(data)

    def ended(self) -> None:
        self.events.append("ended")
        self.call.finish(Status.OK)

    def gone(self) -> None:
        self.events.append("gone")

    def drained(self) -> None:
        self.events.append("drained")


class Peer:
    """Says frames, good ones or not, and reads what comes back."""

    def __init__(self, *, hello: bool = True, trusted: bool = True) -> None:
        self.wire = Wire()
        self.echoes: list[Echo] = []
        self.refusals: list[str] = []
        self._trusted = trusted
        methods: Methods = {"/test/Echo": self._echo}
        self._answer = accept(methods, LARGEST_MESSAGE)
        self.connection = Connection(self)
        self.connection.connection_made(self.wire)
        self._encoder, self._decoder = Encoder(), Decoder()
        self._reader = FrameReader(1_000_000, greeted=True)
        if hello:
            self.say(PREFACE + frame(Kind.SETTINGS, 0, 0))
            self.heard()

    def accept(self, stream: Stream, request: Request) -> Call:
        """As whoever has connections."""
        return self._answer(stream, request)

    def opened(self, connection: Connection) -> None:
        """Likewise."""

    def closed(self, connection: Connection) -> None:
        """Likewise."""

    def refused(self, _: str, why: str) -> None:
        """Likewise."""
        self.refusals.append(why)

    def say(self, data: bytes) -> None:
        """Bytes, as they come from a network."""
        while data and not self.wire.aborted:
            buffer = self.connection.get_buffer(-1)
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            self.connection.buffer_updated(size)
            data = data[size:]

    def head(
        self,
        stream: int = 1,
        flags: int = END_HEADERS,
        pairs: tuple[tuple[str, str], ...] = REQUEST,
    ) -> bytes:
        """HEADERS of a request."""
        block = self._encoder.encode(pairs, huffman=False)
        return frame(Kind.HEADERS, flags, stream, block)

    def heard(self) -> list[Frame]:
        """What came since this was last asked."""
        data, self.wire.written = bytes(self.wire.written), bytearray()
        return self._reader.read(data)

    def pairs(self, found: Frame) -> dict[str, str]:
        """What a HEADERS frame has."""
        return {str(name): str(value) for name, value in self._decoder.decode(found.payload)}

    def gone(self) -> Code | None:
        """Why the connection was ended; None if it was not."""
        ends = [each for each in self.heard() if each.kind == Kind.GOAWAY]
        return Code(struct.unpack_from(">L", ends[0].payload, 4)[0]) if ends else None

    def resets(self) -> dict[int, Code]:
        """Which streams were ended, and why."""
        return {
            each.stream: Code(struct.unpack(">L", each.payload)[0])
            for each in self.heard()
            if each.kind == Kind.RST_STREAM
        }

    def _echo(self, call: Call) -> Answering:
        if self._trusted:
            call.trust()
        self.echoes.append(Echo(call))
        return self.echoes[-1]


def message(data: bytes, stream: int = 1, flags: int = 0) -> bytes:
    """A message of gRPC, in one DATA frame."""
    return frame(Kind.DATA, flags, stream, struct.pack(">BL", 0, len(data)) + data)


def messages_in(frames: list[Frame]) -> list[bytes]:
    """The messages in DATA frames."""
    data = b"".join(each.payload for each in frames if each.kind == Kind.DATA)
    found = []
    while data:
        (size,) = struct.unpack_from(">L", data, 1)
        found.append(data[5 : 5 + size])
        data = data[5 + size :]
    return found
