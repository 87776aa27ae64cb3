"""How long to wait before the next try."""

from __future__ import annotations

from random import Random

FIRST, LONGEST = 0.8, 30.0
"""Seconds, as client-go has them."""


class Backoff:
    """Twice as long after each failure, and by chance up to as much again."""

    def __init__(self, random: Random, first: float = FIRST, longest: float = LONGEST) -> None:
        self._random = random
        self._first = first
        self._longest = longest
        self._delay = first

    def next(self) -> float:
        """Seconds to wait after one more failure."""
        delay = self._delay
        self._delay = min(2 * delay, self._longest)
        return min(delay * (1.0 + self._random.random()), self._longest)

    def reset(self) -> None:
        """It went well."""
        self._delay = self._first
