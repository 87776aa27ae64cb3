"""Keeps Python's garbage collector from stopping everything while it looks at everything.

What is read and computed stays, and holds no cycles: looking for garbage in it takes 100 ms at
10,000 services, and finds none.  So it is set aside (frozen) once it is there, and only what came
since is looked at.  Objects that are set aside are freed as ever when nothing refers to them.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG, YOUNGER, NEVER = 2_000, 2, 1_000_000
"""New objects until they are looked at; how often, until those that stayed are; and the rest.

That is at most 6,000 objects at once, 2 ms; 3 where the processor has seen none of them lately.
"""
FEW = 10_000
"""Objects that are looked through in some 3 ms."""
SEVERAL = 8
"""So many times of looking at those that stayed leave few enough old ones to count."""
SETTLE_SECONDS = 60.0
PORTION = 1_000
"""Rows that changed until what is new is looked through: some 2,000 objects, 0.5 ms."""
MUCH = 4 * PORTION
"""So much at once is not looked through: that would take as many times as long."""


class _Since:
    """What was made since it was looked through."""

    def __init__(self) -> None:
        self.rows = 0
        self.looks = 0

    def start_over(self) -> None:
        self.rows = self.looks = 0


_since = _Since()
"""There is one collector in a process."""


@contextmanager
def loading() -> Iterator[None]:
    """While very much is made that stays, nobody looks for garbage; then all of it is set aside.

    Nobody looks for garbage in it then either: that takes 0.26 s at 10,000 services, in which
    Envoys wait, and finds 100 kB.
    """
    gc.disable()
    try:
        yield
    finally:
        _give_back()
        gc.freeze()
        gc.set_threshold(YOUNG, YOUNGER, NEVER)
        _since.start_over()
        gc.enable()


def _give_back() -> None:
    """Let the system have what loading needed for a while: glibc keeps it, 18 MiB of 285; 2 ms.

    Other libraries of C have no such thing, and keep less.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


async def follow_garbage() -> None:
    """Set aside what has come and stayed, from time to time, until cancelled."""
    while True:
        await asyncio.sleep(SETTLE_SECONDS)
        settle()


def look_after(rows: int) -> None:
    """Have what changes made looked through, a little at a time; `rows` changed just now.

    Python looks once 2,000 objects more were made than freed.  But a change frees as many old ones
    as it makes: without this 100,000 new ones gather under steady changes, and stop everything for
    25 ms.  What very many changes at once have made is set aside unseen.
    """
    _since.rows += rows
    if _since.rows < PORTION or not gc.isenabled():
        return
    if _since.rows >= MUCH:
        gc.freeze()
        _since.start_over()
        return
    _since.rows = 0
    _since.looks += 1
    gc.collect(1 if _since.looks % YOUNGER == 0 else 0)


def settle() -> None:
    """Look through what came since, where that is little, and set aside what is left of it.

    Of much the oldest is set aside unseen: a cycle in it is then never freed, which is less bad
    than a pause.
    """
    gc.collect(1)
    # Each time that those that stayed were looked at, at most 6,000 became old; they are counted
    # one by one, too.
    if gc.get_count()[2] <= SEVERAL and len(gc.get_objects(2)) <= FEW:
        gc.collect()
    gc.freeze()
