"""The admin address: bound at once, so that it can be told, and served when there is something."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from serai.web.instance import Instance

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class WebServer:
    """The admin address: bound when made, served from `start` to `stop`."""

    def __init__(self, host: str, port: int) -> None:
        """OSError if the address is taken; port 0 takes a free one, host "" all addresses."""
        both = not host and socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if ":" in host or both else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, dualstack_ipv6=both)
        name = self._socket.getsockname()
        self.address = f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
        self._serving = contextlib.AsyncExitStack()

    async def start(self, app: ASGIApp) -> None:
        """Serve an application."""
        await self._serve(lambda: app)

    async def start_admin(self, instance: Instance) -> None:
        """Serve the console and the admin API of an instance."""

        def app() -> ASGIApp:
            from serai.web.app import admin_app  # noqa: PLC0415

            return admin_app(instance)

        await self._serve(app)

    async def _serve(self, app: Callable[[], ASGIApp]) -> None:
        # Envoys may be waiting, and what this needs takes 0.15 s to import: beside the event loop.
        served = await asyncio.to_thread(_served, app, self._socket)
        await self._serving.enter_async_context(served)

    async def stop(self) -> None:
        """End all connections."""
        await self._serving.aclose()
        self._socket.close()


def _served(app: Callable[[], ASGIApp], bound: socket.socket) -> AbstractAsyncContextManager[None]:
    from serai.asgi.serving import serving  # noqa: PLC0415

    return serving(app(), [bound])
