"""What changes by itself, as time goes by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from serai.app.core import Core

LOOK_SECONDS = 5.0
"""Between looks at the clock.  Not one sleep until the next moment: clocks are set."""


async def follow_clock(core: Core, look: Callable[[], Awaitable[None]]) -> None:
    """Call `look` whenever the time of something has come, until cancelled."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if core.is_due():
            await look()
