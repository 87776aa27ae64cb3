"""How long, how many and how large: limits of listener policies, as clients run into them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from h2.settings import SettingCodes

from listening import listening
from live.client_http2 import asking, client2
from live.listeners import RAW, A, B, edge, held, policy
from live.serving import SECONDS, Served, answer, eventually
from live.sockets import keepalive, socket_of
from live.upstreams import OK

pytestmark = pytest.mark.live

SOON = 2.0
EARLY = 0.05
"""Seconds by which Envoy's clock may run ahead of ours."""
MUCH = 48 * 1024 * 1024
"""Bytes, more than systems keep for a connection."""


async def closes(reader: asyncio.StreamReader) -> tuple[bytes, float]:
    """All that comes until the connection is closed, and the seconds that takes."""
    begun = time.monotonic()
    async with asyncio.timeout(SECONDS):
        found = await reader.read()
    return found, time.monotonic() - begun


@contextlib.asynccontextmanager
async def connected(
    served: Served, port: int, sent: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(served.place.gateway, port)
    try:
        writer.write(sent)
        yield reader, writer
    finally:
        writer.transport.abort()


async def test_connections_and_streams_without_traffic_end(tmp_path: Path) -> None:
    limits = "{httpSettings: {idleTimeout: 300ms, streamIdleTimeout: 600ms}}"
    async with edge(tmp_path, policy(limits, "a")) as served:
        async with held(served.place.gateway, A) as own, held(served.place.gateway, B) as other:
            assert b"connection: close" not in await own.ask() + await other.ask()
            await asyncio.sleep(0.5)
            # Envoy says so for five seconds, and then closes what is idle still.
            assert b"connection: close" in await own.ask()
            assert b"connection: close" not in await other.ask()
            assert b"200 OK" in await other.ask("/?delay=800ms")

        begun = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf"
        async with connected(served, A, begun) as (reader, _):
            found, seconds = await closes(reader)
        assert found.startswith(b"HTTP/1.1 408 ")
        assert 0.6 - EARLY <= seconds < SOON
        late = answer(await served.to(served.place.gateway, A, "/?delay=2s"))
        assert late.status == 504
        assert 0.6 - EARLY <= late.seconds < SOON


async def test_heads_of_requests_are_so_large_at_most(tmp_path: Path) -> None:
    async with edge(tmp_path, policy("{httpSettings: {maxRequestHeadersKb: 8}}", "a")) as served:
        to = served.place.gateway
        for port, size, status in ((A, 7, 200), (A, 9, 431), (B, 9, 200), (B, 70, 431)):
            found = answer(await served.to(to, port, x_long="x" * 1024 * size))
            assert found.status == status, (port, size)


async def test_what_is_agreed_over_http2(tmp_path: Path) -> None:
    asked = "maxConcurrentStreams: 7, initialStreamWindowSize: 128Ki, "
    asked += "initialConnectionWindowSize: 1Mi"
    limits = f"{{httpSettings: {{http2ProtocolOptions: {{{asked}}}}}}}"
    async with edge(tmp_path, policy(limits, "a")) as served:
        said = {}
        for port in (A, B):
            async with client2(served.place.gateway, port) as client:
                await client.greeted()
                said[port] = (
                    client.settings.get(SettingCodes.MAX_CONCURRENT_STREAMS, 0),
                    client.settings.get(SettingCodes.INITIAL_WINDOW_SIZE, 65_535),
                    client.window,
                )
        assert said[A] == (7, 128 * 1024, 1024 * 1024)
        assert all(ours != usual for ours, usual in zip(said[A], said[B], strict=True))


async def test_websocket_goes_over_http2_where_it_is_asked_for(tmp_path: Path) -> None:
    """RFC 8441."""
    limits = "{httpSettings: {http2ProtocolOptions: {allowConnect: true}}}"
    upgrade = [
        *asking("/ws", (":protocol", "websocket"), method="CONNECT"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    hello = b"\x81\x85\0\0\0\0hello"  # a message that is masked with zeros
    async with edge(tmp_path, policy(limits, "a")) as served:
        async with client2(served.place.gateway, A) as client:
            await client.greeted()
            assert client.settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] == 1
            number, found = client.begin(upgrade, ended=False)
            async with asyncio.timeout(SECONDS):
                while not found.status:
                    await found.changed.wait()
                    found.changed.clear()
                assert found.status == 200
                client.go_on(number, hello)
                while not found.body:
                    await found.changed.wait()
                    found.changed.clear()
            assert found.body == b"\x81\x05hello"
        async with client2(served.place.gateway, B) as client:
            await client.greeted()
            assert not client.settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL)
            _, found = client.begin(upgrade, ended=False)
            await asyncio.sleep(0.3)
            assert not found.status  # Envoy ignores what it has not offered


async def test_clients_are_asked_whether_they_are_there_as_often_as_said(tmp_path: Path) -> None:
    asked = "{keepAliveTime: 20s, keepAliveInterval: 10s, keepAliveProbes: 3}"
    async with edge(tmp_path, policy(f"{{tcpKeepalive: {asked}}}", "a")) as served:
        assert served.instance.fleet is not None
        envoy = served.instance.fleet.statuses()[0].pid
        found = {}
        for port in (A, B):
            request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
            async with connected(served, port, request) as (reader, _):
                await reader.readline()
                with socket_of(envoy, (served.place.gateway, port), accepted=True) as own:
                    found[port] = keepalive(own)
    assert found[A] == (1, 20, 10, 3)
    assert found[B][0] == 0


async def test_so_much_is_kept_for_a_client_that_does_not_read(tmp_path: Path) -> None:
    async with edge(tmp_path, policy("{perConnectionBufferLimitBytes: 67108864}", "a")) as served:
        address = served.place.address()
        async with pouring(address) as sent:
            served.write("raw.yaml", RAW.format(address=address))
            to = served.place.gateway
            await eventually(lambda: served.to(to, B, "/raw"), lambda found: found.body == b"ok")
            for port in (A, B):
                request = f"GET /raw/{port} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
                async with connected(served, port, request) as (_, writer):
                    writer.transport.pause_reading()  # type: ignore[attr-defined]
                    await asyncio.sleep(1)
        assert sent[f"/raw/{A}"] == MUCH
        assert sent[f"/raw/{B}"] < MUCH


@contextlib.asynccontextmanager
async def pouring(address: str) -> AsyncIterator[dict[str, int]]:
    """An endpoint with large answers, and how much of each it could send, by path."""
    sent: dict[str, int] = {}

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ")[1]
        if path == "/raw":
            writer.write(OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
            writer.close()
            return
        writer.transport.set_write_buffer_limits(0)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % MUCH)
        sent[path] = 0
        with contextlib.suppress(ConnectionError):
            while sent[path] < MUCH:
                writer.write(bytes(256 * 1024))
                await writer.drain()
                sent[path] += 256 * 1024
        writer.close()

    async with listening(pour, address, 3000):
        yield sent
