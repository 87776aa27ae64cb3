"""How long a test waits for what takes a while to come true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE = 5.0
"""Seconds; upstream waits 30 and more."""

Wrong = list[str]
"""What is not as expected; empty if all is."""


async def eventually(look: Callable[[], Wrong]) -> Wrong:
    """Nothing as soon as `look` finds nothing wrong; else what it found last."""
    ends = time.monotonic() + PATIENCE
    while wrong := look():
        if time.monotonic() > ends:
            return wrong
        await asyncio.sleep(0.05)
    return []
