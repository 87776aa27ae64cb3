"""What DestinationRules say of bytes: tunnels through a proxy, and how long connections last."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from live.serving import Place, serving
from live.worlds import edge, rule

pytestmark = pytest.mark.live

HOST = "db.example"
OPEN = b"it is open still"
TARGET = "db.internal.example:5432"


def world(place: Place, endpoint: str) -> str:
    backend = "{group: networking.istio.io, kind: ServiceEntry, name: db, port: 5432}"
    entry = f"""
        ---
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: db, namespace: shop}}
        spec:
          hosts: [{HOST}]
          ports: [{{number: 5432, name: tcp, protocol: TCP, targetPort: 3128}}]
          resolution: STATIC
          endpoints: [{{address: {endpoint}}}]
        """
    return edge(place, backend, "TCP") + entry.lstrip()


@contextlib.asynccontextmanager
async def proxy(address: str) -> AsyncIterator[list[str]]:
    """Answers bytes with themselves; of a request it first says 200.  Gives the request lines."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            start = await reader.read(1024)
            if start.startswith((b"CONNECT ", b"POST ")):
                asked.append(start.splitlines()[0].decode())
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                start = await reader.read(1024)
            writer.write(b"from the other side: " + start)
            await writer.drain()
            await reader.read()
        await closed(writer)

    listening = await asyncio.start_server(serve, address, 3128)
    async with listening:
        yield asked


async def exchanged(place: Place, wait: float = 0) -> bytes:
    """What comes back for some bytes; with `wait` whether all ends within so many seconds."""
    reader, writer = await asyncio.open_connection(place.gateway, 8080)
    try:
        writer.write(b"hello")
        async with asyncio.timeout(wait or 5):
            return await (reader.read() if wait else reader.read(1024))
    except TimeoutError:
        return OPEN
    except ConnectionError:
        return b""
    finally:
        await closed(writer)


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_bytes_go_through_a_proxy_where_a_rule_says_tunnel(tmp_path: Path) -> None:
    place = Place()
    one = place.address()
    files = {"world.yaml": world(place, one)}
    target = "targetHost: db.internal.example, targetPort: 5432"
    async with proxy(one) as asked, serving(tmp_path, files, [], place) as served:
        assert await exchanged(place) == b"from the other side: hello"
        assert asked == []

        served.write("rule.yaml", rule(HOST, f"trafficPolicy: {{tunnel: {{{target}}}}}"))
        await _until(asked, f"CONNECT {TARGET} HTTP/1.1", place)

        posted = f"trafficPolicy: {{tunnel: {{{target}, protocol: POST}}}}"
        served.write("rule.yaml", rule(HOST, posted))
        await _until(asked, "POST / HTTP/1.1", place)
        # A POST of HTTP/1.1 has its bytes in chunks.
        assert b"hello" in await exchanged(place)


async def _until(asked: list[str], wanted: str, place: Place) -> None:
    async with asyncio.timeout(10):
        while not asked or asked[-1] != wanted:
            await exchanged(place)


async def test_connections_end_when_they_are_idle_or_too_old(tmp_path: Path) -> None:
    place = Place()
    one = place.address()
    files = {"world.yaml": world(place, one)}
    async with proxy(one), serving(tmp_path, files, [], place) as served:
        assert await exchanged(place, 0.5) == OPEN
        for setting in ("idleTimeout", "maxConnectionDuration"):
            limits = f"connectionPool: {{tcp: {{{setting}: 300ms}}}}"
            served.write("rule.yaml", rule(HOST, f"trafficPolicy: {{{limits}}}"))
            async with asyncio.timeout(10):
                while await exchanged(place, 1) != b"from the other side: hello":
                    pass
            served.write("rule.yaml", rule(HOST, "trafficPolicy: {}"))
            async with asyncio.timeout(10):
                while await exchanged(place, 1) != OPEN:
                    pass
