"""One connection: frames in, streams served, frames out.  RFC 9113.

All that a peer can have kept here is bounded: heads, bytes on their way in, answers to its PINGs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from serai.server.http2.frames import (
    ACK,
    END_STREAM,
    LARGEST,
    Code,
    ConnectionFault,
    Frame,
    FrameReader,
    Kind,
    Setting,
    StreamFault,
    content_of,
    frame,
    go_away,
    number_in,
    reset,
    settings,
    settings_in,
    window_update,
)
from serai.server.http2.headers import LARGEST as LARGEST_HEAD
from serai.server.http2.headers import HeadReader, Pairs, request_of, wrong_fields
from serai.server.http2.host import Host
from serai.server.http2.liveness import Liveness
from serai.server.http2.stream import Stream
from serai.server.http2.windows import USUAL, Incoming, Outgoing

MOST_STREAMS: Final = 1_000
"""At a time.  An Envoy has one; a channel of gRPC with many clients behind it has many."""

CONNECTION_WINDOW: Final = 4 * 1024 * 1024
"""Bytes on their way to all streams together."""

MOST_RESETS: Final = 200
"""Streams that a client may take back in a row, without one that it lets be answered."""

MOST_UNREAD: Final = 1024 * 1024
"""Bytes of answers to a client's PINGs and SETTINGS that it does not read."""

_BUFFER = bytearray(256 * 1024)
_VIEW = memoryview(_BUFFER)
"""One for all connections: what comes in is dealt with before the next one reads."""


class Connection(asyncio.BufferedProtocol):
    """Speaks with one client.  All methods belong into one event loop."""

    def __init__(self, host: Host) -> None:
        """Not yet there: over TLS it may never be."""
        self.peer = ""
        self.outgoing = Outgoing()
        """Of all streams together."""
        self.largest = LARGEST
        """Bytes of a frame that the client takes."""
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._reader, self._heads = FrameReader(), HeadReader()
        self._streams: dict[int, Stream] = {}
        self._last = 0
        self._incoming = Incoming()
        self._initial_room = USUAL
        self._paused = False
        self._blocked: dict[Stream, None] = {}
        self._told = False
        """Whether the client's own SETTINGS came."""
        self._resets = 0
        self._liveness: Liveness | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there; over TLS it has said that it speaks HTTP/2, or it goes."""
        self._transport = cast("asyncio.Transport", transport)
        self._host.opened(self)
        self.peer = _shown(transport.get_extra_info("peername"))
        secure = transport.get_extra_info("ssl_object")
        if secure is not None and secure.selected_alpn_protocol() != "h2":
            self._host.refused(self.peer, "it did not ask for h2 by ALPN")
            self._transport.close()
            return
        ours = {
            Setting.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
            Setting.MAX_HEADER_LIST_SIZE: LARGEST_HEAD,
        }
        widened = window_update(0, self._incoming.widen(CONNECTION_WINDOW))
        self._transport.write(settings(ours) + widened)
        self._liveness = Liveness(self._ask, self._lost)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  as asyncio calls it
        """Where to put what comes in."""
        return _VIEW

    def buffer_updated(self, nbytes: int) -> None:
        """So much came in."""
        if self._liveness is not None:
            self._liveness.heard = True
        try:
            for found in self._reader.read(bytes(_VIEW[:nbytes])):
                self._take(found)
        except ConnectionFault as fault:
            self._host.refused(self.peer, str(fault))
            self.close(fault.code, str(fault))

    def eof_received(self) -> bool:
        """The client says nothing more: nobody waits for an answer then."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  as asyncio calls it
        """The client is gone, and with it all of its streams."""
        self._transport = None
        if self._liveness is not None:
            self._liveness.stop()
        streams, self._streams = list(self._streams.values()), {}
        self._blocked.clear()
        for each in streams:
            self._gone(each)
        self._host.closed(self)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is written to."""
        self._paused = True

    def resume_writing(self) -> None:
        """It has read most of it."""
        self._paused = False
        self._unblock(list(self._blocked))

    @property
    def writable(self) -> bool:
        """Whether the client reads what it is sent."""
        return not self._paused and self._transport is not None

    def write(self, data: bytes) -> None:
        """Send a frame."""
        if self._transport is not None:
            self._transport.write(data)

    def write_all(self, parts: Iterable[bytes | memoryview]) -> None:
        """Send frames, or parts of them."""
        if self._transport is not None:
            self._transport.write(b"".join(parts))

    def wait(self, stream: Stream) -> None:
        """Have a stream go on when there is room."""
        self._blocked[stream] = None

    def tell_room(self, stream: Stream, increment: int) -> None:
        """So many more bytes of a request may come."""
        if increment and not stream.remote_ended:
            self.write(window_update(stream.number, increment))

    def answered(self, stream: Stream) -> None:
        """A stream's answer is whole; of a request that is not, the rest is not wanted."""
        self._resets = 0
        if not stream.remote_ended:
            self.write(reset(stream.number, Code.NO_ERROR))
        self._forget(stream)

    def close(self, code: Code = Code.NO_ERROR, why: str = "") -> None:
        """Say good-bye, and go once what was written has left."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(go_away(self._last, code, why))
            self._transport.close()

    def abort(self) -> None:
        """Go at once."""
        if self._transport is not None:
            self._transport.abort()

    def _take(self, found: Frame) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if not self._told and (found.kind != Kind.SETTINGS or found.flags & ACK):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "SETTINGS do not come first")
        take = _TAKES.get(found.kind)
        try:
            if self._heads.waits:
                self._head(self._heads.go_on(found))
            elif take is not None:
                take(self, found)
        except StreamFault as fault:
            self._host.refused(self.peer, str(fault))
            stream = self._streams.get(fault.stream)
            self.write(reset(fault.stream, fault.code))
            if stream is not None:
                self._forget(stream)
                self._gone(stream)

    def _data(self, found: Frame) -> None:
        stream = self._open(found, "DATA")
        size = len(found.payload)
        if not self._incoming.take(size):
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "more DATA than there was room for")
        content = content_of(found)
        self._give_back()
        if stream is None or stream.remote_ended:
            if stream is not None:
                raise StreamFault(Code.STREAM_CLOSED, stream.number, "DATA after the end")
            return
        if not stream.incoming.take(size):
            words = "more DATA than the stream had room for"
            raise StreamFault(Code.FLOW_CONTROL_ERROR, stream.number, words)
        if stream.exchange is not None and content:
            stream.exchange.received(content)
        if found.flags & END_STREAM:
            self._ended(stream)
        elif stream.number in self._streams:
            stream.replenish()

    def _give_back(self) -> None:
        increment = self._incoming.give_back()
        if increment:
            self.write(window_update(0, increment))

    def _headers(self, found: Frame) -> None:
        self._head(self._heads.begin(found))

    def _head(self, whole: tuple[Frame, Pairs] | None) -> None:
        if whole is None:
            return
        found, pairs = whole
        if found.stream <= self._last:
            self._trailers(found, pairs)
            return
        self._last = found.stream
        request = request_of(pairs)
        if isinstance(request, str):
            raise StreamFault(Code.PROTOCOL_ERROR, found.stream, request)
        if len(self._streams) >= MOST_STREAMS:
            words = f"more than {MOST_STREAMS} streams at a time"
            raise StreamFault(Code.REFUSED_STREAM, found.stream, words)
        stream = Stream(self, found.stream, self._initial_room)
        self._streams[found.stream] = stream
        stream.exchange = self._host.accept(stream, request)
        if found.flags & END_STREAM:
            self._ended(stream)

    def _trailers(self, found: Frame, pairs: Pairs) -> None:
        stream = self._streams.get(found.stream)
        if stream is None:
            return  # it has ended here, which the client did not know yet
        if stream.remote_ended:
            raise StreamFault(Code.STREAM_CLOSED, found.stream, "HEADERS after the end")
        if not found.flags & END_STREAM or wrong_fields(pairs):
            raise StreamFault(Code.PROTOCOL_ERROR, found.stream, "trailers that are none")
        self._ended(stream)

    def _ended(self, stream: Stream) -> None:
        stream.remote_ended = True
        if stream.exchange is not None:
            stream.exchange.ended()

    def _rst_stream(self, found: Frame) -> None:
        stream = self._open(found, "RST_STREAM")
        number_in(found)
        self._resets += 1
        if self._resets > MOST_RESETS:
            words = f"{MOST_RESETS} streams were taken back"
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, words)
        if stream is not None:
            self._forget(stream)
            self._gone(stream)

    def _settings(self, found: Frame) -> None:
        told = settings_in(found)
        if found.flags & ACK:
            return
        self._told = True
        if self._liveness is not None:
            self._liveness.greeted()
        self.largest = told.get(Setting.MAX_FRAME_SIZE, self.largest)
        room = told.get(Setting.INITIAL_WINDOW_SIZE, self._initial_room)
        more, self._initial_room = room - self._initial_room, room
        for stream in self._streams.values():
            if not stream.outgoing.grow(more):
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a window that is too large")
        self._reply(frame(Kind.SETTINGS, ACK, 0))
        if more > 0:
            self._unblock(list(self._blocked))

    def _ping(self, found: Frame) -> None:
        if found.stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PING of a stream")
        if len(found.payload) != 8:  # noqa: PLR2004
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "PING of a size that cannot be")
        if not found.flags & ACK:
            self._reply(frame(Kind.PING, ACK, 0, found.payload))

    def _window_update(self, found: Frame) -> None:
        increment = number_in(found)
        if not found.stream:
            if not increment or not self.outgoing.grow(increment):
                code = Code.FLOW_CONTROL_ERROR if increment else Code.PROTOCOL_ERROR
                raise ConnectionFault(code, f"room for {increment} more bytes")
            self._unblock(list(self._blocked))
            return
        stream = self._open(found, "WINDOW_UPDATE")
        if stream is None:
            return
        if not increment or not stream.outgoing.grow(increment):
            code = Code.FLOW_CONTROL_ERROR if increment else Code.PROTOCOL_ERROR
            raise StreamFault(code, stream.number, f"room for {increment} more bytes")
        if stream in self._blocked:
            self._unblock([stream])

    def _priority(self, found: Frame) -> None:
        """Nobody is preferred here; but it must be one."""
        if not found.stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PRIORITY of no stream")
        if len(found.payload) != 5:  # noqa: PLR2004
            raise StreamFault(Code.FRAME_SIZE_ERROR, found.stream, "PRIORITY of a wrong size")

    def _go_away(self, found: Frame) -> None:
        """It opens no more streams; those that are there go on."""
        if found.stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "GOAWAY of a stream")

    def _unexpected(self, found: Frame) -> None:
        words = f"{Kind(found.kind).name} where there can be none"
        raise ConnectionFault(Code.PROTOCOL_ERROR, words)

    def _open(self, found: Frame, what: str) -> Stream | None:
        """The stream of a frame; None if it has ended."""
        if not found.stream or found.stream > self._last:
            words = f"{what} of stream {found.stream}, which is not open"
            raise ConnectionFault(Code.PROTOCOL_ERROR, words)
        return self._streams.get(found.stream)

    def _reply(self, data: bytes) -> None:
        """What the client makes us say is bounded by what it reads."""
        if self._transport is None:
            return
        if self._paused and self._transport.get_write_buffer_size() > MOST_UNREAD:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "it asks, and does not read the answers")
        self._transport.write(data)

    def _unblock(self, streams: list[Stream]) -> None:
        for each in streams:
            self._blocked.pop(each, None)
            if each.flush() and not each.local_ended and each.exchange is not None:
                each.exchange.drained()

    def _forget(self, stream: Stream) -> None:
        self._streams.pop(stream.number, None)
        self._blocked.pop(stream, None)

    def _gone(self, stream: Stream) -> None:
        stream.local_ended = stream.remote_ended = True
        exchange, stream.exchange = stream.exchange, None
        if exchange is not None:
            exchange.gone()

    def _ask(self) -> None:
        self.write(frame(Kind.PING, 0, 0, b"serai: ?"))

    def _lost(self, why: str) -> None:
        self._host.refused(self.peer, why)
        self.abort()


_TAKES: Final[dict[int, Callable[[Connection, Frame], None]]] = {
    Kind.DATA: Connection._data,  # noqa: SLF001
    Kind.HEADERS: Connection._headers,  # noqa: SLF001
    Kind.PRIORITY: Connection._priority,  # noqa: SLF001
    Kind.RST_STREAM: Connection._rst_stream,  # noqa: SLF001
    Kind.SETTINGS: Connection._settings,  # noqa: SLF001
    Kind.PUSH_PROMISE: Connection._unexpected,  # noqa: SLF001
    Kind.PING: Connection._ping,  # noqa: SLF001
    Kind.GOAWAY: Connection._go_away,  # noqa: SLF001
    Kind.WINDOW_UPDATE: Connection._window_update,  # noqa: SLF001
    Kind.CONTINUATION: Connection._unexpected,  # noqa: SLF001
}


def _shown(address: Any) -> str:
    if isinstance(address, tuple):
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"unix:{address or ''}"
