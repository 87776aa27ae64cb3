"""How soon to put back what somebody else changed: at once, and later the more often it happens.

Pure; times are seconds of a clock that never goes back.
"""

from __future__ import annotations

from serai.api.meta import Key

QUIET_SECONDS = 600.0
"""After so long without another change it is as if there had been none."""

FIRST, LONGEST = 2.0, 300.0
"""Seconds to wait the second time, and at most."""


class Contest:
    """What was put back for each Gateway, and when."""

    def __init__(self) -> None:
        self._strikes: dict[Key, tuple[int, float]] = {}

    def struck(self, gateway: Key, now: float) -> tuple[int, float]:
        """Somebody changed it again: the how many-th time in a row, and seconds to wait."""
        count, last = self._strikes.get(gateway, (0, now))
        count = 1 if now - last > QUIET_SECONDS else count + 1
        wait = 0.0 if count == 1 else min(FIRST * 2.0 ** (count - 2), LONGEST)
        self._strikes[gateway] = count, now + wait
        return count, wait

    def forget(self, gateway: Key) -> None:
        """The Gateway is gone."""
        self._strikes.pop(gateway, None)
