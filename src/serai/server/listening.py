"""Where gRPC is listened for: TCP or a Unix socket, with TLS or without."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog

from serai.server.calls import Call, Methods, accept
from serai.server.http2.connection import Connection
from serai.server.http2.headers import Request
from serai.server.http2.stream import Stream

if TYPE_CHECKING:
    from serai.server.authority import Pair

HANDSHAKE_SECONDS: Final = 10.0
GOODBYE_SECONDS: Final = 1.0
"""For the last that a client is sent, when we go; one that reads at all needs a few ms."""
BACKLOG: Final = 1024
"""Clients that come at once, such as all of a fleet after we were away."""

log = structlog.get_logger(__name__)


class Listening:
    """Listens at one address until it is stopped."""

    def __init__(self, methods: Methods, largest: int) -> None:
        """`largest`: bytes of a message that comes in."""
        self._answer = accept(methods, largest)
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._alone = asyncio.Event()
        """Set while nobody is connected."""
        self._alone.set()

    async def start(self, address: str, context: ssl.SSLContext | None = None) -> int:
        """Listen at ``host:port``, where the host may be in brackets, or at ``unix:/path``.

        Returns the port; 1 for a Unix socket.  Raises OSError if it cannot listen there.
        """
        loop = asyncio.get_running_loop()
        limit = HANDSHAKE_SECONDS if context else None
        if address.startswith("unix:"):
            path = address.removeprefix("unix:")
            self._server = await loop.create_unix_server(
                self._new, path, ssl=context, ssl_handshake_timeout=limit, backlog=BACKLOG
            )
            return 1
        listener = await _listener(address)
        # asyncio does so only for sockets that name their protocol; else a response waits 40 ms
        # wherever the one before it was not acknowledged yet.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server = await loop.create_server(
            self._new,
            sock=listener,
            ssl=context,
            ssl_handshake_timeout=limit,
            backlog=BACKLOG,
        )
        return int(listener.getsockname()[1])

    async def stop(self) -> None:
        """Take nobody new, and send those away who are here, whether or not they read it."""
        if self._server is not None:
            self._server.close()
        for each in list(self._connections):
            each.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._alone.wait(), GOODBYE_SECONDS)
        for each in list(self._connections):
            each.abort()
        await self._alone.wait()

    def opened(self, connection: Connection) -> None:
        """Somebody is connected."""
        self._connections.add(connection)
        self._alone.clear()

    def closed(self, connection: Connection) -> None:
        """Not any more."""
        self._connections.discard(connection)
        if not self._connections:
            self._alone.set()

    def refused(self, peer: str, why: str) -> None:
        """Somebody broke the protocol."""
        log.warning("xds.broken_connection", peer=peer, reason=why)

    def accept(self, stream: Stream, request: Request) -> Call:
        """Has a request answered by its method."""
        return self._answer(stream, request)

    def _new(self) -> Connection:
        return Connection(self)


async def _listener(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not port.isdigit():
        raise OSError(f"{address} has no port")
    if host in {"", "::", "*"} and socket.has_dualstack_ipv6():
        family, found = socket.AF_INET6, ("::", int(port))
        return socket.create_server(found, family=family, dualstack_ipv6=True, backlog=BACKLOG)
    loop = asyncio.get_running_loop()
    known = await loop.getaddrinfo(host or "0.0.0.0", int(port), type=socket.SOCK_STREAM)  # noqa: S104
    family, _, _, _, where = known[0]
    return socket.create_server(where[:2], family=family, backlog=BACKLOG)


def served_with(current: Callable[[], Pair]) -> ssl.SSLContext:
    """TLS that follows what `current` says, for every connection that is new.

    Clients prove themselves by tokens, not by certificates.
    """
    told = current()
    newest = _context(told)
    first = newest

    def greeted(connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        nonlocal told, newest
        found = current()
        if found != told:
            told, newest = found, _context(found)
        connection.context = newest

    first.sni_callback = greeted
    return first


def _context(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    with _file(pair.certificate + b"\n" + pair.key) as path:
        context.load_cert_chain(path)
    return context


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    """A path to what is in memory, where there is such a thing: OpenSSL reads no other."""
    if not hasattr(os, "memfd_create"):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name
        return
    held = os.memfd_create("serai")
    try:
        os.write(held, content)
        yield f"/proc/self/fd/{held}"
    finally:
        os.close(held)
