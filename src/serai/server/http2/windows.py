"""Flow control: how much may be sent, and how much may come.  RFC 9113, section 5.2."""

from __future__ import annotations

from serai.server.http2.frames import LARGEST_WINDOW

USUAL = 65_535
"""Bytes, of each stream and of the connection, until somebody says otherwise."""


class Outgoing:
    """What a peer has room for.  Below 0 where it took room back."""

    __slots__ = ("room",)

    def __init__(self, room: int = USUAL) -> None:
        self.room = room

    def grow(self, increment: int) -> bool:
        """So much more; whether that can be."""
        self.room += increment
        return self.room <= LARGEST_WINDOW


class Incoming:
    """What we have room for.  Room is given back when half of it is used, not for each byte."""

    __slots__ = ("_given", "_owed", "size")

    def __init__(self, size: int = USUAL) -> None:
        self.size = size
        self._given = size
        self._owed = 0

    def take(self, amount: int) -> bool:
        """So much came; whether there was room for it."""
        self._given -= amount
        self._owed += amount
        return self._given >= 0

    def give_back(self) -> int:
        """The increment to tell the peer now, if any: what came was dealt with."""
        if self._owed * 2 < self.size:
            return 0
        increment, self._owed = self._owed, 0
        self._given += increment
        return increment

    def widen(self, size: int) -> int:
        """Have more room; the increment to tell the peer."""
        increment = max(0, size - self.size) + self._owed
        self.size, self._owed = max(self.size, size), 0
        self._given += increment
        return increment
