"""The certificate that xDS is served with follows what there is, without another server."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime

import grpc.aio

from serai.server.authority import Pair, settled
from serai.server.guard import served_with, token_of

NOW = datetime.now(UTC)


async def served(port: int) -> bytes:
    """The certificate that a client meets."""
    address = ("127.0.0.1", port)
    return (await asyncio.to_thread(ssl.get_server_certificate, address)).strip().encode()


async def test_new_connections_get_the_new_certificate_of_a_server_that_runs() -> None:
    first, second = (settled(None, ("127.0.0.1",), NOW).serving for _ in range(2))
    current = [first]

    def now() -> Pair:
        return current[-1]

    server = grpc.aio.server()
    port = server.add_secure_port("127.0.0.1:0", served_with(now))
    await server.start()
    try:
        assert await served(port) == first.certificate.strip()
        current.append(second)
        assert await served(port) == second.certificate.strip()
    finally:
        await server.stop(None)


def test_a_token_is_what_a_bearer_brings() -> None:
    assert token_of([("x", "y"), ("authorization", "Bearer abc")]) == "abc"
    assert token_of([("authorization", "Basic abc")]) == ""
    assert token_of(None) == ""
