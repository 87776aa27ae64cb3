"""The admin application on a socket of its own, inside the event loop of whoever runs it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from serai.web.app import admin_app
from serai.web.instance import Instance

STOP_SECONDS = 2
"""For answers under way when the server is stopped."""


class AdminServer:
    """Serves the console, the admin API and the metrics until it is stopped."""

    def __init__(self, instance: Instance, server: _Server, serving: asyncio.Task[None]) -> None:
        self._instance = instance
        self._server = server
        self._serving = serving

    @property
    def address(self) -> str:
        """``host:port``, with the port that was taken where any would do."""
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def stop(self) -> None:
        """Answer what is under way, then close."""
        self._instance.changes.close()
        self._server.should_exit = True
        await self._serving


async def serve(instance: Instance, host: str, port: int) -> AdminServer:
    """Begin to serve.  `port` 0 takes any.

    Raises OSError where the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    config = uvicorn.Config(
        admin_app(instance),
        access_log=False,
        lifespan="off",
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        ws="none",
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="admin server")
    listens = asyncio.create_task(server.listens.wait())
    await asyncio.wait({listens, serving}, return_when=asyncio.FIRST_COMPLETED)
    listens.cancel()
    if serving.done():
        serving.result()
    return AdminServer(instance, server, serving)


class _Server(uvicorn.Server):
    """Leaves signals to the program that it is a part of, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing about signals."""
        yield
