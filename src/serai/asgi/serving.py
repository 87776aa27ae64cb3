"""An ASGI application on sockets that are bound already, without a main loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence

import uvicorn
from starlette.types import ASGIApp


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
    """Serves HTTP/1.1 on these sockets while the context lasts; they are closed at its end.

    Requests still being answered then are cut off.  Nothing but the application makes headers,
    and no header is believed to say where a request came from.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    listening = list(sockets)
    for each in listening:
        # asyncio does so only for sockets that name their protocol; else a body waits 40 ms for
        # an acknowledgement of its head.
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Without uvicorn's own main loop, which would take the signals of the whole process, and
    # otherwise only keeps the date.
    await server.startup(sockets=listening)
    try:
        yield
    finally:
        server.force_exit = True
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # the connections learn that they are lost
        for task in list(server.server_state.tasks):
            task.cancel()
        await server.shutdown(sockets=listening)
