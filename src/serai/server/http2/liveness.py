"""Whether a client is still there: it says hello in time, and answers when it was long quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

HELLO_SECONDS: Final = 10.0
"""So long a client may take to say what it speaks."""

QUIET_SECONDS: Final = 30.0
"""After so long without a word we ask."""

ANSWER_SECONDS: Final = 10.0


class Liveness:
    """Watches over one connection."""

    def __init__(self, ask: Callable[[], None], lost: Callable[[str], None]) -> None:
        """`ask` sends something that is answered; `lost` is told why nobody is there."""
        self.heard = True
        """Set whenever something came."""
        self._ask, self._lost = ask, lost
        self._asked = False
        self._greeted = False
        self._timer = self._after(HELLO_SECONDS)

    def greeted(self) -> None:
        """The client said what it speaks."""
        if not self._greeted:
            self._greeted = True
            self._begin()

    def stop(self) -> None:
        """The connection has ended."""
        self._timer.cancel()

    def _begin(self) -> None:
        self.heard = self._asked = False
        self._timer.cancel()
        self._timer = self._after(QUIET_SECONDS)

    def _after(self, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        if not self._greeted:
            self._lost(f"it did not say what it speaks for {HELLO_SECONDS:g} s")
        elif self.heard:
            self._begin()
        elif self._asked:
            self._lost(f"it did not answer a PING for {ANSWER_SECONDS:g} s")
        else:
            self._asked = True
            self._ask()
            self._timer = self._after(ANSWER_SECONDS)
