"""An address is listened at until it is stopped, whatever those who came do."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime

import pytest

from live.sockets import waits_for_acknowledgements
from serai.server import listening
from serai.server.authority import settled
from serai.server.calls import Call
from serai.server.http2.frames import END_HEADERS, PREFACE, Kind, frame, settings, window_update
from serai.server.listening import Listening, served_with
from unit.server.http2.wire import Echo, Peer

LARGE = 1 << 24


class Pushing(Echo):
    """Sends more than any buffer takes, and never comes to an end."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        call.send(bytes(LARGE))


async def test_who_does_not_read_does_not_keep_it_from_stopping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "GOODBYE_SECONDS", 0.1)
    calls: list[Pushing] = []

    def push(call: Call) -> Pushing:
        calls.append(Pushing(call))
        return calls[-1]

    server = Listening({"/test/Echo": push}, 1024)
    port = await server.start("127.0.0.1:0")
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    head = Peer(hello=False).head(flags=END_HEADERS)
    writer.write(PREFACE + settings({}) + frame(Kind.WINDOW_UPDATE, 0, 0, b"\0\xff\xff\xff"))
    writer.write(head + window_update(1, LARGE))
    async with asyncio.timeout(10):
        while not calls:  # noqa: ASYNC110  the server has no event for tests
            await asyncio.sleep(0.01)
        await server.stop()
    assert calls[0].events == ["gone"]
    assert not server._connections
    writer.close()
    del reader


async def test_a_handshake_that_fails_leaves_nothing_behind() -> None:
    pair = settled(None, ("127.0.0.1",), datetime.now(UTC)).serving
    server = Listening({}, 1024)
    port = await server.start("127.0.0.1:0", served_with(lambda: pair))
    with pytest.raises(ssl.SSLError):
        await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())
    _, plain = await asyncio.open_connection("127.0.0.1", port)
    plain.write(PREFACE)
    await asyncio.sleep(0.1)
    plain.close()
    assert not server._connections
    async with asyncio.timeout(10):
        await server.stop()


async def test_who_does_not_ask_for_h2_is_sent_away() -> None:
    pair = settled(None, ("127.0.0.1",), datetime.now(UTC)).serving
    server = Listening({}, 1024)
    port = await server.start("127.0.0.1:0", served_with(lambda: pair))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    async with asyncio.timeout(10):
        assert await reader.read() == b""
        await server.stop()
    writer.close()


async def test_no_response_waits_for_an_acknowledgement_of_the_one_before() -> None:
    server = Listening({}, 1024)
    port = await server.start("127.0.0.1:0")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(PREFACE + settings({}))
    assert await reader.read(1)
    assert not waits_for_acknowledgements(("127.0.0.1", port))
    writer.close()
    await server.stop()
