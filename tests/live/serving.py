"""A folder of manifests served by real Envoys, with echo servers behind them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from serai.api.problem import Problem
from serai.app.client.http import Entry, HttpAnswer, HttpRequest, send
from serai.app.compose import standalone
from serai.app.standalone import Options, Standalone
from serai.echo.endpoint import EchoEndpoint, Identity
from serai.echo.server import echo
from serai.model.settings import LOOPBACK, Settings

SECONDS = 10.0
"""For anything that is waited for; on a quiet machine all of it takes less than one."""


class Place:
    """Loopback addresses that no other test uses at the same time, most likely."""

    def __init__(self) -> None:
        self._net = f"127.{random.randrange(70, 250)}.{random.randrange(1, 250)}"
        self._next = 10
        self.gateway = self.address()
        self.vips = f"{self._net}.128/25"
        """Where VIPs are allocated."""

    def address(self) -> str:
        """Another address."""
        self._next += 1
        return f"{self._net}.{self._next}"


class Served:
    """A folder being served."""

    def __init__(self, folder: Path, place: Place) -> None:
        self.folder = folder
        self.place = place
        self.instance: Standalone

    def write(self, name: str, text: str) -> None:
        """Replace a file as an editor does: whole or not at all."""
        draft = self.folder / f".{name}.tmp"
        draft.write_text(textwrap.dedent(text))
        draft.replace(self.folder / name)

    async def ask(self, entry: Entry, request: HttpRequest) -> HttpAnswer | Problem:
        """Send one request over a new connection."""
        return await send(entry, request, SECONDS)

    async def to_vip(
        self, vip: str, port: int, path: str = "/", *, as_: str = "", host: str = "x", **more: Any
    ) -> HttpAnswer | Problem:
        """Through the waypoint's PROXY port."""
        entry = Entry(connect=(self.place.gateway, 15088), destination=(vip, port), principal=as_)
        return await self.ask(entry, request(path, host, **more))

    async def to(
        self, address: str, port: int, path: str = "/", *, host: str = "x", **more: Any
    ) -> HttpAnswer | Problem:
        """Straight to an address of a proxy."""
        return await self.ask(Entry(connect=(address, port)), request(path, host, **more))


def request(path: str, host: str, method: str = "GET", **headers: str) -> HttpRequest:
    """A request; header names have underscores for dashes."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpRequest(method=method, target=path, headers=(("host", host), *named))


@contextlib.asynccontextmanager
async def serving(
    tmp_path: Path,
    files: dict[str, str],
    endpoints: Sequence[EchoEndpoint] = (),
    place: Place | None = None,
    settings: Settings | None = None,
    options: Options | None = None,
) -> AsyncIterator[Served]:
    """Serve files until the block ends; Envoys are ready when it begins."""
    folder = tmp_path / "manifests"
    folder.mkdir(exist_ok=True)
    served = Served(folder, place or Place())
    for name, text in files.items():
        served.write(name, text)
    options = msgspec.structs.replace(options or Options(), bind_life=True, drain_seconds=1)
    wanted = settings or Settings()
    vips = wanted.vip_range_v4 or served.place.vips
    bound = wanted.proxy_bind if wanted.proxy_bind != LOOPBACK else (served.place.gateway,)
    wanted = msgspec.structs.replace(wanted, proxy_bind=bound, vip_range_v4=vips)
    instance, problems = standalone([folder], wanted, options, tmp_path / "state")
    assert instance is not None, problems
    served.instance = instance
    async with echo(endpoints):
        try:
            await instance.start()
            following = asyncio.create_task(instance.follow())
            async with asyncio.timeout(SECONDS):
                if instance.fleet is not None:
                    await instance.fleet.wait_ready()
            yield served
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        finally:
            await instance.stop(drain=False)


def workload(address: str, port: int, name: str, *, tcp: bool = False) -> EchoEndpoint:
    """An echo server that says `name` of itself."""
    return EchoEndpoint(address, port, Identity(pod=name), "tcp" if tcp else "http")


async def eventually(
    ask: Callable[[], Awaitable[HttpAnswer | Problem]],
    wanted: Callable[[HttpAnswer], bool],
) -> HttpAnswer:
    """The first answer that is as wanted; fails, showing the last one, if none comes in time."""
    last: HttpAnswer | Problem | None = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            while True:
                last = await ask()
                if isinstance(last, HttpAnswer) and wanted(last):
                    return last
                await asyncio.sleep(0.02)
    raise AssertionError(f"never as wanted; last: {last}")


async def until(holds: Callable[[], bool]) -> None:
    """Until something is so that nobody tells of, such as what an endpoint has seen."""
    async with asyncio.timeout(SECONDS):
        while not holds():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def multiplexed() -> AsyncIterator[httpx2.AsyncClient]:
    """A client of HTTP/2: one connection, so that one of Envoy's threads sends all."""
    async with httpx2.AsyncClient(
        http1=False, http2=True, verify=False, trust_env=False, timeout=SECONDS
    ) as client:
        yield client


def answer(found: HttpAnswer | Problem) -> HttpAnswer:
    """The answer, where there must be one."""
    assert isinstance(found, HttpAnswer), found
    return found


def echoed(found: HttpAnswer | Problem) -> dict[str, Any]:
    """What the echo server says that reached it."""
    good = answer(found)
    assert good.status == 200, good
    told: dict[str, Any] = msgspec.json.decode(good.body)
    return told


def pod(found: HttpAnswer | Problem) -> str:
    """Who answered."""
    return str(echoed(found)["pod"])
