"""The certificate that xDS is served with follows what there is, without another server."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime

from serai.server.authority import Pair, settled
from serai.server.guard import token_of
from serai.server.listening import Listening, served_with

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

    server = Listening({}, 1024)
    port = await server.start("127.0.0.1:0", served_with(now))
    try:
        assert await served(port) == first.certificate.strip()
        current.append(second)
        assert await served(port) == second.certificate.strip()
    finally:
        await server.stop()


def test_a_token_is_what_a_bearer_brings() -> None:
    assert token_of([("x", "y"), ("authorization", "Bearer abc")]) == "abc"
    assert token_of([("authorization", "Basic abc")]) == ""
    assert token_of([]) == ""
