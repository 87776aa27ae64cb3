"""Many echo endpoints in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING

import msgspec

from serai.asgi.serving import serving
from serai.echo.http import http_app
from serai.echo.tcp import EchoProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from starlette.types import ASGIApp

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
        async with serving(_answering(http), [sock for _, sock in http]), _tcp(tcp):
            yield tuple(endpoint for endpoint, _ in real)


def _listen(endpoint: EchoEndpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
    try:
        return socket.create_server((endpoint.address, endpoint.port), family=family, backlog=1024)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error
        words = f"echo cannot listen on {endpoint.where}: {why}"
        raise OSError(error.errno, words) from error


def _answering(bound: list[tuple[EchoEndpoint, socket.socket]]) -> ASGIApp:
    by_address = {(each.address, each.port): each for each, _ in bound}
    by_port = {each.port: each for each, _ in bound}
    # A wildcard socket is known by its port alone.
    return http_app(lambda address, port: by_address.get((address, port)) or by_port.get(port))


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
