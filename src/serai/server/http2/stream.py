"""One stream of a connection: a request that comes in, and an answer that goes out."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from serai.server.http2.frames import END_HEADERS, END_STREAM, Kind, frame, head
from serai.server.http2.windows import Incoming, Outgoing

if TYPE_CHECKING:
    from serai.server.http2.connection import Connection


AT_ONCE: Final = 256 * 1024
"""Bytes that are handed on before it is looked whether they are taken."""


class Exchange(Protocol):
    """Whoever answers a request.  Nothing that is called may block, or raise."""

    def received(self, data: bytes) -> None:
        """More of the request's body."""

    def ended(self) -> None:
        """The request is whole."""

    def gone(self) -> None:
        """Nobody hears an answer any more."""

    def drained(self) -> None:
        """All that was written has left; it is called where some of it had to wait."""


class Stream:
    """What the answer to one request is written to."""

    __slots__ = (
        "_connection",
        "_held",
        "_waiting",
        "exchange",
        "incoming",
        "local_ended",
        "number",
        "outgoing",
        "remote_ended",
    )

    def __init__(self, connection: Connection, number: int, room: int) -> None:
        self.number = number
        self.incoming = Incoming()
        self.outgoing = Outgoing(room)
        self.exchange: Exchange | None = None
        self.remote_ended = False
        self.local_ended = False
        self._held = True
        self._connection = connection
        self._waiting: deque[memoryview | bytes | _Last] = deque()
        """What no window had room for; last, maybe, the trailers: a whole HEADERS frame."""

    @property
    def peer(self) -> str:
        """Who asks, as an address."""
        return self._connection.peer

    @property
    def clear(self) -> bool:
        """Whether all that was written has left."""
        return not self._waiting

    def widen(self, size: int) -> None:
        """Have room for so many bytes on their way, again and again as they come."""
        self._held = False
        self._connection.tell_room(self, self.incoming.widen(size))

    def hold(self) -> None:
        """Give no more room, as it is before it is made wider for the first time."""
        self._held = True

    def release(self) -> None:
        """Give room again."""
        if self._held:
            self._held = False
            self.replenish()

    def replenish(self) -> None:
        """Give back the room of what was dealt with."""
        if not self._held:
            self._connection.tell_room(self, self.incoming.give_back())

    def respond(self, block: bytes, *, end: bool = False) -> None:
        """Send the answer's head, packed; where it ends with that, nothing else may follow."""
        if self.local_ended:
            return
        flags = END_HEADERS | (END_STREAM if end else 0)
        self._connection.write(frame(Kind.HEADERS, flags, self.number, block))
        if end:
            self._end()

    def write(self, data: bytes) -> None:
        """Send a part of the answer's body, as soon as there is room for it."""
        if self.local_ended or not data:
            return
        self._waiting.append(data)
        if len(self._waiting) == 1:
            self.flush()

    def finish(self, block: bytes) -> None:
        """Send trailers, packed, after all that was written."""
        if self.local_ended:
            return
        trailers = frame(Kind.HEADERS, END_HEADERS | END_STREAM, self.number, block)
        if self._waiting:
            self._waiting.append(_Last(trailers))
            return
        self._connection.write(trailers)
        self._end()

    def flush(self) -> bool:
        """Send what there is room for; whether that is all."""
        connection, waiting = self._connection, self._waiting
        frames: list[bytes | memoryview] = []
        gathered = 0
        while waiting and connection.writable:
            first = waiting[0]
            if isinstance(first, _Last):
                frames.append(first.trailers)
                waiting.clear()
                connection.write_all(frames)
                self._end()
                return True
            size = min(len(first), self.outgoing.room, connection.outgoing.room, connection.largest)
            if size <= 0:
                break
            self.outgoing.room -= size
            connection.outgoing.room -= size
            gathered += size
            frames += (head(size, Kind.DATA, 0, self.number), first[:size])
            if size == len(first):
                waiting.popleft()
            else:
                waiting[0] = memoryview(first)[size:]
            if gathered >= AT_ONCE:
                connection.write_all(frames)  # which may find that the client reads no more
                frames, gathered = [], 0
        if frames:
            connection.write_all(frames)
        if waiting:
            connection.wait(self)
        return not waiting

    def _end(self) -> None:
        self.local_ended = True
        self._connection.answered(self)


class _Last:
    """Trailers that wait for what was written before them."""

    __slots__ = ("trailers",)

    def __init__(self, trailers: bytes) -> None:
        self.trailers = trailers
