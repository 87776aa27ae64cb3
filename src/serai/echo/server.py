"""Many echo endpoints in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING

import msgspec
import uvicorn

from serai.echo.http import http_app
from serai.echo.tcp import EchoProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from serai.echo.endpoint import EchoEndpoint


@contextlib.asynccontextmanager
async def echo(endpoints: Iterable[EchoEndpoint]) -> AsyncIterator[tuple[EchoEndpoint, ...]]:
    """Listens on all of these while the context lasts; gives them back with their real ports.

    OSError, naming the endpoint, if one cannot be had; then none is kept.  Requests still being
    answered at the end are cut off.
    """
    with contextlib.ExitStack() as sockets:
        bound = [(endpoint, sockets.enter_context(_listen(endpoint))) for endpoint in endpoints]
        real = [
            (msgspec.structs.replace(endpoint, port=int(sock.getsockname()[1])), sock)
            for endpoint, sock in bound
        ]
        http = [(endpoint, sock) for endpoint, sock in real if endpoint.mode == "http"]
        tcp = [(endpoint, sock) for endpoint, sock in real if endpoint.mode == "tcp"]
        async with _http(http), _tcp(tcp):
            yield tuple(endpoint for endpoint, _ in real)


def _listen(endpoint: EchoEndpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
    try:
        return socket.create_server((endpoint.address, endpoint.port), family=family, backlog=1024)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error
        words = f"echo cannot listen on {endpoint.where}: {why}"
        raise OSError(error.errno, words) from error


@contextlib.asynccontextmanager
async def _http(bound: list[tuple[EchoEndpoint, socket.socket]]) -> AsyncIterator[None]:
    by_address = {(each.address, each.port): each for each, _ in bound}
    by_port = {each.port: each for each, _ in bound}
    config = uvicorn.Config(
        # A wildcard socket is known by its port alone.
        http_app(lambda address, port: by_address.get((address, port)) or by_port.get(port)),
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
    sockets = [sock for _, sock in bound]
    # Without uvicorn's own main loop, which would take the signals of the whole process.
    await server.startup(sockets=sockets)
    try:
        yield
    finally:
        server.force_exit = True
        for connection in server.server_state.connections:
            connection.transport.abort()
        await asyncio.sleep(0)  # the connections learn that they are lost
        for task in server.server_state.tasks:
            task.cancel()
        await server.shutdown(sockets=sockets)


@contextlib.asynccontextmanager
async def _tcp(bound: list[tuple[EchoEndpoint, socket.socket]]) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    connections: set[asyncio.Transport] = set()
    async with contextlib.AsyncExitStack() as servers:
        for endpoint, sock in bound:

            def connected(endpoint: EchoEndpoint = endpoint) -> EchoProtocol:
                return EchoProtocol(endpoint, connections)

            server = await loop.create_server(connected, sock=sock)
            servers.callback(server.close)
        try:
            yield
        finally:
            for transport in tuple(connections):
                transport.abort()
