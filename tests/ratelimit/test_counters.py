"""Counting, in memory and in a real Redis: exactly, and through Redis's going and coming back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Literal

import pytest
from limits.aio.storage import MemoryStorage

from ratelimit.redis_server import RedisServer, until
from serai.ratelimit.counters import Counted, Counters, UnavailableError, Window

Place = Literal["memory", "redis"]


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    server = RedisServer(tmp_path)
    await server.start()
    yield server
    server.stop()


Make = Callable[..., Awaitable[Counters]]


@pytest.fixture
async def counting() -> AsyncIterator[Make]:
    """Makes counters that are closed at the end."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(window: Window = "fixed", url: str = "") -> Counters:
            return await stack.enter_async_context(Counters(window, url).running())

        yield make


@pytest.fixture(params=["memory", "redis"])
async def url(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    # A machine that is busy with other tests is no Redis that does not answer.
    monkeypatch.setattr("serai.ratelimit.counters.STORAGE_SECONDS", 10.0)
    if request.param == "memory":
        yield ""
        return
    server = RedisServer(tmp_path)
    await server.start()
    yield server.url
    server.stop()


async def hits(counters: Counters, number: int, amount: int, **more: int) -> list[Counted]:
    seconds = more.get("seconds", 3600)
    return await asyncio.gather(
        *(counters.hit("key", amount, seconds, more.get("cost", 1)) for _ in range(number))
    )


def passed(found: list[Counted]) -> int:
    return sum(not each.over for each in found)


@pytest.mark.parametrize("window", ["fixed", "moving", "sliding"])
async def test_just_as_many_pass_as_may_of_many_at_once(
    counting: Make, url: str, window: Window
) -> None:
    first = await counting(window, url)
    # Several services may share a Redis; what is in memory is one's own.
    second = await counting(window, url) if url else first
    both = await asyncio.gather(hits(first, 100, 50), hits(second, 100, 50))

    assert passed(both[0]) + passed(both[1]) == 50
    assert passed(await hits(first, 5, 50)) == 0
    assert passed([await first.hit("other", 50, 3600)]) == 1


async def test_what_is_left_and_when_it_comes_back_is_said(counting: Make, url: str) -> None:
    counters = await counting("fixed", url)
    first, second = await counters.hit("key", 3, 3600), await counters.hit("key", 3, 3600, 2)
    third = await counters.hit("key", 3, 3600)

    assert [(each.over, each.remaining) for each in (first, second, third)] == [
        (False, 2),
        (False, 0),
        (True, 0),
    ]
    assert all(3590 < each.reset_seconds <= 3600 for each in (first, second, third))


async def test_looking_counts_nothing(counting: Make, url: str) -> None:
    counters = await counting("fixed", url)
    for _ in range(3):
        found = await counters.hit("key", 1, 3600, 0)
        assert (found.over, found.remaining) == (False, 1)
    await counters.hit("key", 1, 3600)
    assert (await counters.hit("key", 1, 3600, 0)).over


@pytest.mark.parametrize("window", ["fixed", "moving"])
async def test_a_window_ends(counting: Make, url: str, window: Window) -> None:
    counters = await counting(window, url)
    assert passed(await hits(counters, 4, 2, seconds=1)) == 2

    async def passes() -> bool:
        await asyncio.sleep(0.1)
        return not (await counters.hit("key", 2, 1)).over

    await until(passes)


async def test_a_limit_that_is_raised_keeps_what_was_counted(counting: Make, url: str) -> None:
    counters = await counting("fixed", url)
    assert passed(await hits(counters, 10, 4)) == 4
    # Six more were counted, though they did not pass.
    assert passed(await hits(counters, 10, 12)) <= 12 - 4
    assert passed(await hits(counters, 1, 4)) == 0


async def test_memory_is_freed_of_windows_that_ended(
    counting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serai.ratelimit.counters.SWEEP_SECONDS", 0.05)
    fixed, moving = await counting(), await counting("moving")
    for counters in (fixed, moving):
        for number in range(2000):
            await counters.hit(str(number), 1, 1)
            await counters.hit(str(number), 1, 1)
    await fixed.hit("stays", 1, 3600)
    kept, hits = fixed.storage, moving.storage
    assert isinstance(kept, MemoryStorage) and isinstance(hits, MemoryStorage)

    async def freed() -> bool:
        return len(kept.storage) == 1 and not hits.events

    await until(freed)
    assert not (await fixed.hit("0", 1, 1)).over
    assert (await fixed.hit("stays", 1, 3600)).over


async def test_redis_goes_and_comes_back(counting: Make, redis: RedisServer) -> None:
    counters = await counting("fixed", redis.url)
    assert not (await counters.hit("key", 1, 3600)).over
    assert (await counters.hit("key", 1, 3600, 0)).over
    assert await counters.check()

    redis.stop()
    with pytest.raises(UnavailableError):
        await counters.hit("other", 1, 3600)
    assert not await counters.check()

    await redis.start()
    await until(counters.check)
    # It kept nothing on disk, so counting begins anew; one passes, not more.
    assert passed(await hits(counters, 20, 1)) == 1


async def test_a_redis_that_hangs_is_not_waited_for_again_and_again(
    counting: Make, redis: RedisServer
) -> None:
    counters = await counting("fixed", redis.url)
    await counters.hit("key", 9, 3600)
    redis.freeze()
    try:
        with pytest.raises(UnavailableError):
            await counters.hit("key", 9, 3600)
        async with asyncio.timeout(0.3):
            with pytest.raises(UnavailableError):
                await counters.hit("key", 9, 3600)
    finally:
        redis.thaw()
    await until(counters.check)
    assert not (await counters.hit("key", 9, 3600)).over


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="redis"):
        Counters("fixed", "redis-here")
