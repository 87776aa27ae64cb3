"""Finding the bad resource of a rejected response: its parts are sent again, one by one."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\s,;'\"()\[\]{}]+")


class Part:
    """Some names of a rejected response, to be sent without the others."""

    __slots__ = ("names", "rest")

    def __init__(self, names: tuple[str, ...], rest: tuple[str, ...] = ()) -> None:
        self.names = names
        self.rest = rest
        """What was rejected together with them: it holds the culprit if they are taken."""


class Trials:
    """The parts of one type's rejected responses that are still to be sent.

    One bad resource among n costs at most ceil(log2 n) + 3 responses, the first one included.
    When the first half is taken, the second holds the culprit and is halved unsent; when the first
    is rejected, nothing is known about the second, so it goes to those that are sent last, as one.
    """

    def __init__(self) -> None:
        self._next: Part | None = None
        self._others: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self._next is not None or bool(self._others)

    def names(self) -> set[str]:
        """All that waits here."""
        part = self._next or Part(())
        return {*part.names, *part.rest, *self._others}

    def next(self) -> Part:
        """Takes out what is to be sent next."""
        part, self._next = self._next, None
        if part is None:
            part, self._others = Part(self._others), ()
        return part

    def reject(self, names: tuple[str, ...], message: str) -> None:
        """The names were rejected together."""
        if self._next is not None:
            self._others = self._next.names + self._next.rest + self._others
        self._next = Part(*divide(names, message)) if len(names) > 1 else Part(names)

    def accept(self, tried: Part) -> None:
        """A part was taken, so the culprit is in what was rejected together with it."""
        if not tried.rest:
            return
        if self._next is not None:
            self._others = tried.rest + self._others
        elif len(tried.rest) == 1:
            self._next = Part(tried.rest)
        else:
            self._next = Part(*divide(tried.rest))

    def leave(self, tried: Part) -> None:
        """A part was rejected, or not sent after all, which says nothing about the rest."""
        self._others = tried.rest + self._others


def divide(names: tuple[str, ...], message: str = "") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Two parts of at least two names: those the message doesn't mention first, else two halves."""
    named = mentioned(names, message)
    if 0 < len(named) < len(names):
        return (
            tuple(name for name in names if name not in named),
            tuple(name for name in names if name in named),
        )
    middle = (len(names) + 1) // 2
    return names[:middle], names[middle:]


def mentioned(names: tuple[str, ...], message: str) -> frozenset[str]:
    """The names that stand in the message as words of their own."""
    words = set(_WORD.findall(message))
    words.update([word.rstrip(".:") for word in words])
    return frozenset(words.intersection(names))
