"""The admin address: bound at once, so that it can be told, and served when there is something."""

from __future__ import annotations

import contextlib
import socket

from starlette.types import ASGIApp

from serai.asgi.serving import serving


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
        """Serve the application."""
        await self._serving.enter_async_context(serving(app, [self._socket]))

    async def stop(self) -> None:
        """End all connections."""
        await self._serving.aclose()
        self._socket.close()
