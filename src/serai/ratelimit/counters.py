"""Counting, over the `limits` library: in this process, or in a Redis that many share."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import blake2b
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote

import msgspec
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import (
    MovingWindowRateLimiter,
    RateLimiter,
    SlidingWindowCounterRateLimiter,
)
from limits.errors import StorageError
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from serai.ratelimit.rules import Entries

Window = Literal["fixed", "sliding", "moving"]

STORAGE_SECONDS: Final = 3.0
"""How long Redis has to answer; Envoys have lost patience long before."""
AGAIN_SECONDS: Final = 0.5
"""After Redis could not be asked, until it is asked again; meanwhile the answer is at once no."""
MOST_CONNECTIONS: Final = 64
SWEEP_SECONDS: Final = 5.0
SWEEP_AT_ONCE: Final = 1_000
LONGEST_KEY: Final = 200
"""Characters; a longer key is replaced by its hash."""
MOST_REMEMBERED: Final = 100_000

Result = TypeVar("Result")


class UnavailableError(Exception):
    """Nothing can be counted now."""


class Counted(msgspec.Struct, frozen=True):
    """What became of a hit."""

    over: bool
    remaining: int
    reset_seconds: float
    """Until the window ends, or in a moving one until there is room again."""


class _Known(msgspec.Struct, frozen=True):
    """What need not be asked again about a window."""

    ends: float
    full: int = -1
    """The limit that it is used up for, if it is."""


class Counters:
    """Counts hits.  All methods belong into one event loop.

    A ``fixed`` window begins with its first hit and ends so many seconds later; in any ``moving``
    window there are no more hits than the limit, for which each is remembered; ``sliding`` comes
    near to that from two counts.
    """

    def __init__(self, window: Window = "fixed", redis: str = "") -> None:
        """`redis` is a URL such as ``redis://host:6379/0``; empty: in this process.

        Raises ValueError for a URL that is none.
        """
        self.storage: MemoryStorage | RedisStorage = _redis(redis) if redis else MemoryStorage()
        self._limiter: RateLimiter | None = None
        if window == "moving":
            self._limiter = MovingWindowRateLimiter(self.storage)
        elif window == "sliding":
            self._limiter = SlidingWindowCounterRateLimiter(self.storage)
        self._connections = asyncio.Semaphore(MOST_CONNECTIONS)
        self._away_until = 0.0
        self._known: dict[str, _Known] = {}

    async def hit(self, key: str, amount: int, seconds: int, cost: int = 1) -> Counted:
        """Count `cost` hits of a limit of `amount` in `seconds`; 0: only look.

        Raises UnavailableError if it cannot be said.
        """
        if self._limiter is None:
            return await self._fixed(f"{key}/{seconds}", amount, seconds, cost)
        limiter, item = self._limiter, RateLimitItemPerSecond(amount, seconds)
        if cost:
            passes = await self._ask(lambda: limiter.hit(item, key, cost=cost))
        else:
            passes = await self._ask(lambda: limiter.test(item, key))
        stats = await self._ask(lambda: limiter.get_window_stats(item, key))
        remaining = max(0, int(stats.remaining))
        return Counted(not passes, remaining, max(0.0, stats.reset_time - time.time()))

    async def check(self) -> bool:
        """Whether what it counts in is there."""
        with contextlib.suppress(UnavailableError):
            if await self._ask(self.storage.check):
                return True
        return False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Counters]:
        """What has to be done meanwhile: memory is freed of windows that have ended.

        At the end connections to Redis are closed.
        """
        task = asyncio.create_task(self._sweep())
        if isinstance(self.storage, MemoryStorage):
            # The library looks through all keys after each hit, unless it thinks that it does.
            self.storage.timer = task
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if isinstance(self.storage, RedisStorage):
                bridge: Any = self.storage.bridge
                await bridge.get_connection().aclose()

    async def _fixed(self, key: str, amount: int, seconds: int, cost: int) -> Counted:
        now = time.time()
        known = self._known.get(key)
        if known is not None and known.ends <= now:
            known = None
        if known is not None and known.full == amount:
            return Counted(over=True, remaining=0, reset_seconds=known.ends - now)
        if cost:
            count = await self._ask(lambda: self.storage.incr(key, seconds, cost))
        else:
            count = await self._ask(lambda: self.storage.get(key))
        ends = await self._ends(key, now + seconds if count == cost else 0.0, known)
        # A window that is used up stays so to its end, so nobody need be asked until then.
        self._note(key, _Known(ends, amount if count > amount else -1))
        over = count > amount or (not cost and count >= amount)
        return Counted(over, max(0, amount - count), max(0.0, ends - time.time()))

    async def _ends(self, key: str, begun: float, known: _Known | None) -> float:
        """When a window ends that has just begun, or that is known, or else is asked about."""
        if begun or known:
            return begun or (known.ends if known else 0.0)
        ends = await self._ask(lambda: self.storage.get_expiry(key))
        # Redis tells whole seconds.
        return ends - 1 if self._shared else ends

    def _note(self, key: str, known: _Known) -> None:
        if key in self._known or len(self._known) < MOST_REMEMBERED:
            self._known[key] = known

    @property
    def _shared(self) -> bool:
        return isinstance(self.storage, RedisStorage)

    async def _ask(self, question: Callable[[], Awaitable[Result]]) -> Result:
        if not self._shared:
            return await question()
        async with self._connections:
            if time.monotonic() < self._away_until:
                raise UnavailableError("Redis did not answer a moment ago")
            try:
                async with asyncio.timeout(STORAGE_SECONDS):
                    answer = await question()
            except (StorageError, TimeoutError, OSError) as error:
                self._away_until = time.monotonic() + AGAIN_SECONDS
                # It may come back with everything forgotten.
                self._known.clear()
                raise UnavailableError(str(error) or type(error).__name__) from error
        self._away_until = 0.0
        return answer

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.time()
            await self._forget([key for key, each in self._known.items() if each.ends <= now])
            if isinstance(self.storage, MemoryStorage):
                storage = self.storage
                ended = [key for key, ends in storage.expirations.items() if ends <= now]
                ended += [
                    key for key, hits in storage.events.items() if not hits or hits[0].expiry <= now
                ]
                await self._forget(ended)

    async def _forget(self, ended: list[str]) -> None:
        for number, key in enumerate(ended):
            if number % SWEEP_AT_ONCE == 0:
                await asyncio.sleep(0)
            self._known.pop(key, None)
            if isinstance(self.storage, MemoryStorage) and self._has_ended(self.storage, key):
                await self.storage.clear(key)

    @staticmethod
    def _has_ended(storage: MemoryStorage, key: str) -> bool:
        """It may have begun anew since it was found."""
        now = time.time()
        hits = storage.events.get(key)
        return storage.expirations.get(key, 0) <= now and (not hits or hits[0].expiry <= now)


def _redis(url: str) -> RedisStorage:
    options: dict[str, Any] = {
        "socket_timeout": STORAGE_SECONDS,
        "socket_connect_timeout": STORAGE_SECONDS,
        # We wait for our turn ourselves; the pool would refuse one that comes a moment early.
        "max_connections": 2 * MOST_CONNECTIONS,
        # A connection that was kept may be to a server that is gone: once more, on a new one.
        # Whatever was counted twice then makes the limit no wider.
        "retry": Retry(NoBackoff(), 1),
    }
    return RedisStorage(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="serai",
        **options,
    )


def counter_key(domain: str, entries: Entries) -> str:
    """The name of a descriptor's counter: no two descriptors share one."""
    parts = [domain, *(text for entry in entries for text in entry)]
    name = "/".join(quote(text, safe=".:-_") for text in parts)
    if len(name) <= LONGEST_KEY:
        return name
    return f"{quote(domain, safe='')[:60]}/{blake2b(name.encode(), digest_size=20).hexdigest()}"
