"""Many echo endpoints in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from typing import TYPE_CHECKING

import msgspec

from serai.echo.connection import Connections
from serai.echo.endpoint import OVER_TLS
from serai.echo.http import Respond, Well, responder
from serai.echo.http1 import Http1Protocol
from serai.echo.http2 import Http2Protocol
from serai.echo.https import ALPN, HttpsProtocol
from serai.echo.tcp import EchoProtocol
from serai.echo.tls import Tls, server_context
from serai.echo.udp import EchoDatagrams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from serai.echo.endpoint import EchoEndpoint
    from serai.echo.request import EchoRequest


@contextlib.asynccontextmanager
async def echo(
    endpoints: Iterable[EchoEndpoint],
    *,
    tls: Tls | None = None,
    observe: Callable[[EchoRequest], None] = lambda _: None,
    well: Well = lambda *_: True,
) -> AsyncIterator[tuple[EchoEndpoint, ...]]:
    """Listens on all of these while the context lasts; gives them back with their real ports.

    `tls` is what those over TLS present; `observe` is told of every HTTP request; `well` is asked
    which targets are answered well, health checks among them.  OSError, naming the endpoint, if
    one cannot be had, ssl.SSLError for a bad certificate; then none is kept.  Requests still being
    answered at the end are cut off.
    """
    connections, respond = Connections(), responder(observe, well)
    with contextlib.ExitStack() as sockets:
        bound = [(endpoint, sockets.enter_context(_listen(endpoint))) for endpoint in endpoints]
        real = [
            (msgspec.structs.replace(endpoint, port=int(sock.getsockname()[1])), sock)
            for endpoint, sock in bound
        ]
        contexts = _contexts([endpoint for endpoint, _ in real], tls)
        async with contextlib.AsyncExitStack() as servers:
            servers.callback(connections.cut)
            for endpoint, sock in real:
                end = await _serve(
                    endpoint, sock, contexts.get(endpoint.mode), _Speaking(respond, connections)
                )
                servers.callback(end)
            yield tuple(endpoint for endpoint, _ in real)
        await asyncio.sleep(0)  # the connections learn that they are lost


class _Speaking(msgspec.Struct, frozen=True):
    """What all servers of one call share."""

    respond: Respond
    connections: Connections


def _listen(endpoint: EchoEndpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
    try:
        if endpoint.mode == "udp":
            return _datagrams(endpoint, family)
        sock = socket.create_server((endpoint.address, endpoint.port), family=family, backlog=1024)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error
        words = f"echo cannot listen on {endpoint.where}: {why}"
        raise OSError(error.errno, words) from error
    # asyncio does so only for sockets that name their protocol; else the second part of an answer
    # waits 40 ms for an acknowledgement of the first.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _datagrams(endpoint: EchoEndpoint, family: socket.AddressFamily) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind((endpoint.address, endpoint.port))
    except OSError:
        sock.close()
        raise
    return sock


def _contexts(endpoints: Iterable[EchoEndpoint], tls: Tls | None) -> dict[str, ssl.SSLContext]:
    """By mode: what is presented there."""
    modes = {endpoint.mode for endpoint in endpoints if endpoint.mode in OVER_TLS}
    if modes and tls is None:
        raise ValueError(f"{', '.join(sorted(modes))}: TLS needs a certificate")
    return {mode: server_context(tls, ALPN if mode == "https" else ()) for mode in modes if tls}


async def _serve(
    endpoint: EchoEndpoint, sock: socket.socket, context: ssl.SSLContext | None, shared: _Speaking
) -> Callable[[], None]:
    """Answer on a socket; what ends it."""
    loop = asyncio.get_running_loop()
    if endpoint.mode == "udp":
        transport, _ = await loop.create_datagram_endpoint(
            lambda: EchoDatagrams(endpoint), sock=sock
        )
        return transport.close
    server = await loop.create_server(lambda: _protocol(endpoint, shared), sock=sock, ssl=context)
    return server.close


def _protocol(endpoint: EchoEndpoint, shared: _Speaking) -> asyncio.Protocol:
    match endpoint.mode:
        case "tcp" | "tls":
            return EchoProtocol(endpoint, shared.connections)
        case "h2c":
            return Http2Protocol(endpoint, shared.respond, shared.connections)
        case "https":
            return HttpsProtocol(endpoint, shared.respond, shared.connections)
        case _:
            return Http1Protocol(endpoint, shared.respond, shared.connections)
