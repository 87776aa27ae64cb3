"""gRPC calls over HTTP/2: messages in, messages out, and a status in the end.

gRPC over HTTP2 (the protocol's document), as far as calls with streams both ways need it: no
compression, and a call takes as long as it takes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Final, Protocol
from urllib.parse import quote

from serai.server.http2.headers import Pairs, Request, packed
from serai.server.http2.stream import Stream

WINDOW: Final = 1024 * 1024
"""Bytes on their way to us, of each call that is trusted to send them."""

_PREFIX = struct.Struct(">BL")
_CONTENT_TYPE = ("content-type", "application/grpc")
_HEAD = packed(((":status", "200"), _CONTENT_TYPE))


class Status(IntEnum):
    """How a call ends."""

    OK = 0
    INVALID_ARGUMENT = 3
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class Answering(Protocol):
    """Whoever answers a call.  Nothing that is called may block, or raise."""

    def message(self, data: bytes) -> None:
        """The client says something."""

    def ended(self) -> None:
        """It has said all."""

    def gone(self) -> None:
        """It hears nothing any more."""

    def drained(self) -> None:
        """All that was sent has left, of which some had to wait."""


class Call:
    """One call.  Its methods do nothing once it has ended."""

    __slots__ = (
        "_begun",
        "_came",
        "_done",
        "_largest",
        "_needed",
        "_parts",
        "_stream",
        "answering",
        "metadata",
    )

    def __init__(self, stream: Stream, metadata: Pairs, largest: int) -> None:
        """`largest`: bytes of a message that comes in."""
        self.metadata = metadata
        self.answering: Answering | None = None
        self._stream = stream
        self._largest = largest
        self._parts: list[bytes] = []
        self._came = 0
        self._needed = _PREFIX.size
        """Bytes, until there is anything to do."""
        self._begun = self._done = False

    @property
    def peer(self) -> str:
        """Who calls, as an address."""
        return self._stream.peer

    @property
    def clear(self) -> bool:
        """Whether all that was sent has left."""
        return self._stream.clear

    def trust(self) -> None:
        """Take more than the first few messages, however large they are."""
        self._stream.widen(WINDOW)

    def send(self, message: bytes) -> None:
        """Say something."""
        self._begin()
        self._stream.write(_PREFIX.pack(0, len(message)) + message)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._stream.respond(_HEAD)

    def finish(self, status: Status, why: str = "") -> None:
        """End it, once all has left that was sent."""
        if self._done:
            return
        self._done = True
        said = [("grpc-status", str(int(status)))]
        if why:
            said.append(("grpc-message", quote(why, safe=" !#$&'()*+,/:;<=>?@[]^_`{|}~")))
        # Trailers alone would do; but gRPC's own client of asyncio now and then takes them for an
        # error of its own.
        self._begin()
        self._stream.finish(packed(said))

    def hold(self) -> None:
        """Let the client wait before it says more than it has room for."""
        self._stream.hold()

    def release(self) -> None:
        """Let it go on."""
        self._stream.release()

    # What its stream calls.

    def received(self, data: bytes) -> None:
        """More bytes, wherever messages begin and end in them."""
        if self._done:
            return
        self._parts.append(data)
        self._came += len(data)
        if self._came >= self._needed:
            whole, self._parts = b"".join(self._parts), []
            rest = self._take(whole)
            self._parts, self._came = ([rest] if rest else []), len(rest)

    def _take(self, data: bytes) -> bytes:
        """Hand on the messages that are whole; what is left."""
        at = 0
        while not self._done:
            self._needed = _PREFIX.size
            if len(data) - at < self._needed:
                break
            packing, size = _PREFIX.unpack_from(data, at)
            if packing or size > self._largest:
                self._refuse(*_too_much(packing, size, self._largest))
                return b""
            self._needed += size
            if len(data) - at < self._needed:
                break
            begin, at = at + _PREFIX.size, at + self._needed
            if self.answering is not None:
                self.answering.message(data[begin:at])
        return data[at:]

    def ended(self) -> None:
        """The client has said all."""
        if self._came:
            self._refuse(Status.INTERNAL, "the last message is not whole")
        elif self.answering is not None and not self._done:
            self.answering.ended()

    def gone(self) -> None:
        """The client has taken it back, or is gone itself."""
        self._done = True
        if self.answering is not None:
            self.answering.gone()

    def drained(self) -> None:
        """There is room again."""
        if self.answering is not None and not self._done:
            self.answering.drained()

    def _refuse(self, status: Status, why: str) -> None:
        self.finish(status, why)
        if self.answering is not None:
            self.answering.gone()


def _too_much(packing: int, size: int, largest: int) -> tuple[Status, str]:
    if packing:
        return Status.UNIMPLEMENTED, "messages cannot be compressed here"
    return Status.RESOURCE_EXHAUSTED, f"a message of {size} bytes; {largest} are allowed"


Methods = Mapping[str, Callable[[Call], Answering]]
"""By path, such as ``/package.Service/Method``."""


def accept(methods: Methods, largest: int) -> Callable[[Stream, Request], Call]:
    """How the requests of a connection are answered."""

    def answer(stream: Stream, request: Request) -> Call:
        call = Call(stream, request.headers, largest)
        method = methods.get(request.path)
        if not _speaks(request):
            status = "405" if request.method != "POST" else "415"
            stream.respond(packed(((":status", status),)), end=True)
        elif request.header("grpc-encoding") not in {"", "identity"}:
            call.finish(Status.UNIMPLEMENTED, "messages cannot be compressed here")
        elif method is None:
            call.finish(Status.UNIMPLEMENTED, f"there is no {request.path}")
        else:
            call.answering = method(call)
        return call

    return answer


def _speaks(request: Request) -> bool:
    kind = request.header("content-type")
    plain = kind in {"application/grpc", "application/grpc+proto"}
    return request.method == "POST" and (plain or kind.startswith("application/grpc;"))
