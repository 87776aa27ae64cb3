"""Work that nobody waits for goes on, and ends when it is told to."""

from __future__ import annotations

import asyncio
import gc

from serai.app.background import Background


async def test_it_goes_on_though_nobody_holds_it() -> None:
    background, done = Background(), asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0)
        gc.collect()
        done.set()

    background.begin(work())
    await asyncio.wait_for(done.wait(), 5)


async def test_what_is_not_done_is_cancelled() -> None:
    background, ended = Background(), list[str]()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    background.begin(work())
    await asyncio.sleep(0)
    await background.stop()
    assert ended == ["cancelled"]
