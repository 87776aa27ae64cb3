"""The whole service: gRPC for Envoys, HTTP for those who look after it, files that are watched."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serai.asgi.serving import serving
from serai.ratelimit.config import Found, UnusableError
from serai.ratelimit.counters import Counters, Window
from serai.ratelimit.metrics import Metrics
from serai.ratelimit.rules import Rules
from serai.ratelimit.service import RateLimits

log = structlog.get_logger(__name__)

UNREADY = 503
FIRST_SECONDS = 2.0
"""How long Envoys wait for the first limits; later they are answered that there are none."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to serve."""

    listen: str = "127.0.0.1:8081"
    """For Envoys: ``host:port`` or ``unix:/path``."""
    admin: str = ""
    """For /healthz, /readyz and /metrics: ``host:port``; empty: nowhere."""
    redis: str = ""
    """A URL; empty: counts are kept in this process."""
    window: Window = "fixed"
    headers: bool = False


class Service:
    """A running service."""

    def __init__(self, options: Options, limits: AsyncIterator[Found]) -> None:
        """`limits` gives what is to be in force.  ValueError for a URL or address that is none."""
        self.options = options
        self._found = limits
        self.counters = Counters(options.window, options.redis)
        self.metrics = Metrics()
        self.limits = RateLimits(self.counters, self.metrics, headers=options.headers)
        self.port = 0
        self.loaded = asyncio.Event()
        """Set once limits are in force."""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serves while the context lasts.  OSError where an address cannot be had."""
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self.counters.running())
            if self.options.admin:
                sockets = [_bound(self.options.admin)]
                await stack.enter_async_context(serving(self._admin(), sockets))
            following = asyncio.create_task(self._follow())
            stack.callback(following.cancel)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.loaded.wait(), FIRST_SECONDS)
            self.port = await self.limits.start(self.options.listen)
            stack.push_async_callback(self.limits.stop)
            log.info("ratelimit.listening", address=self.options.listen, port=self.port)
            yield

    async def _follow(self) -> None:
        async for found in self._found:
            if isinstance(found, UnusableError):
                self.metrics.refused()
                log.error("ratelimit.limits_not_used", error=str(found))
                continue
            self.limits.rules = Rules(found)
            self.metrics.loaded(len(found))
            self.loaded.set()
            log.info("ratelimit.limits", domains=len(found))

    def _admin(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/healthz", lambda _: PlainTextResponse("ok\n")),
                Route("/readyz", self._readyz),
                Route("/metrics", self._metrics),
            ]
        )

    async def _readyz(self, _: Request) -> Response:
        if not self.loaded.is_set():
            return PlainTextResponse("no limits could be read yet\n", UNREADY)
        if not await self.counters.check():
            return PlainTextResponse("Redis does not answer\n", UNREADY)
        return PlainTextResponse("ok\n")

    async def _metrics(self, _: Request) -> Response:
        text, kind = self.metrics.exposition()
        return Response(text, headers={"content-type": kind})


def _bound(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        raise ValueError(f"--admin: {address!r} is not an address such as 127.0.0.1:9096")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), int(port)), family=family)
