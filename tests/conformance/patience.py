"""How long a test waits for what takes a while to come true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE = 5.0
"""Seconds; upstream waits 30 and more."""
IN_CLUSTER = 30.0
"""Where Envoys are first to be deployed."""

Wrong = list[str]
"""What is not as expected; empty if all is."""


async def eventually(look: Callable[[], Wrong], patience: float = PATIENCE) -> Wrong:
    """Nothing as soon as `look` finds nothing wrong; else what it found last."""
    ends = time.monotonic() + patience
    while wrong := look():
        if time.monotonic() > ends:
            return wrong
        await asyncio.sleep(0.05)
    return []
