"""Time limits and retries of routes, at servers that are slow or hang up.

Gateway API: GEP-1742 (timeouts), GEP-1731 (retries).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from listening import listening
from live.serving import Place, Served, answer, serving
from live.sick_server import sick
from live.worlds import entry
from serai.app.client.http import Entry, HttpRequest

pytestmark = pytest.mark.live

PORT = 18807
SLOW = 2.0
AT_ONCE = 1.0
"""Seconds; what ends before SLOW was ended by the route."""

RULES = """
          - matches: [{path: {value: /request}}]
            timeouts: {request: 300ms}
            backendRefs: [TO]
          - matches: [{path: {value: /backend}}]
            timeouts: {backendRequest: 300ms}
            backendRefs: [TO]
          - matches: [{path: {value: /both}}]
            timeouts: {request: 10s, backendRequest: 300ms}
            backendRefs: [TO]
          - matches: [{path: {value: /unlimited}}]
            timeouts: {request: 0s}
            backendRefs: [TO]
          - matches: [{path: {value: /again}}]
            timeouts: {backendRequest: 200ms}
            retry: {attempts: 2, codes: [503]}
            backendRefs: [TO]
          - matches: [{path: {value: /hurried}}]
            timeouts: {request: 500ms, backendRequest: 200ms}
            retry: {attempts: 20, codes: [503], backoff: 25ms}
            backendRefs: [TO]
          - matches: [{path: {value: /resets}}]
            retry: {attempts: 3, codes: [500]}
            backendRefs: [TO]
          - backendRefs: [TO]
"""


def manifests(place: Place, backend: str) -> dict[str, str]:
    to = "{group: networking.istio.io, kind: ServiceEntry, name: a, port: 80}"
    routed = f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: edge, namespace: shop}}
        spec:
          gatewayClassName: serai
          addresses: [{{value: {place.gateway}}}]
          listeners: [{{name: http, port: {PORT}, protocol: HTTP}}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: r, namespace: shop}}
        spec:
          parentRefs: [{{name: edge}}]
          rules:{RULES.replace("TO", to)}
        """
    return {"edge.yaml": routed, "a.yaml": entry("a", backend)}


async def ask(served: Served, path: str) -> tuple[int, float]:
    """The status, and the seconds until it came."""
    wanted = HttpRequest(method="GET", target=path, headers=(("host", "x"),))
    begun = time.monotonic()
    found = answer(await served.ask(Entry(connect=(served.place.gateway, PORT)), wanted))
    return found.status, time.monotonic() - begun


@pytest.mark.parametrize("path", ["/request", "/backend", "/both"])
async def test_what_takes_too_long_is_given_up(tmp_path: Path, path: str) -> None:
    place = Place()
    backend = place.address()
    async with (
        sick(backend, 8081, "slow") as server,
        serving(tmp_path, manifests(place, backend), (), place) as served,
    ):
        assert (await ask(served, path))[0] == 200
        server.delay = SLOW
        status, seconds = await ask(served, path)
        assert status == 504
        assert seconds < AT_ONCE
        assert server.asked[path] == 2, "nobody asked for another attempt"
        assert (await ask(served, "/unlimited"))[0] == 200


async def test_attempts_that_time_out_are_made_again_while_there_is_time(tmp_path: Path) -> None:
    place = Place()
    backend = place.address()
    async with (
        sick(backend, 8081, "slow") as server,
        serving(tmp_path, manifests(place, backend), (), place) as served,
    ):
        server.delay = SLOW
        status, seconds = await ask(served, "/again")
        assert (status, server.asked["/again"]) == (504, 3)
        assert 3 * 0.2 <= seconds < SLOW
        server.asked.clear()
        status, seconds = await ask(served, "/hurried")
        assert status == 504
        assert seconds < AT_ONCE
        assert 2 <= server.asked["/hurried"] <= 3, "two attempts of 200 ms fit, and a third begins"


async def test_attempts_that_failed_are_made_again_while_there_is_time(tmp_path: Path) -> None:
    place = Place()
    backend = place.address()
    async with (
        sick(backend, 8081, "sick") as server,
        serving(tmp_path, manifests(place, backend), (), place) as served,
    ):
        server.status = 503
        assert (await ask(served, "/again"))[0] == 503
        assert server.asked["/again"] == 3
        server.status, server.delay = 503, 0.1
        status, seconds = await ask(served, "/hurried")
        assert status in {503, 504}
        assert seconds < AT_ONCE
        assert server.asked["/hurried"] < 6
        assert (await ask(served, "/else"))[0] == 503
        assert server.asked["/else"] == 1, "no retry is not a retry"


class Hanging(msgspec.Struct):
    """A server that hangs up on its first clients."""

    times: int = 0
    accepted: int = 0


@contextlib.asynccontextmanager
async def hanging(address: str, port: int) -> AsyncIterator[Hanging]:
    """Resets `times` connections as soon as it was asked, and answers the next."""
    server = Hanging()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            server.accepted += 1
            if server.accepted <= server.times:
                writer.transport.abort()
                return
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    async with listening(serve, address, port):
        yield server


def outcomes() -> Iterator[tuple[int, int, int]]:
    """How often the server hangs up, the status that comes of it, and the attempts."""
    yield 0, 200, 1
    yield 1, 200, 2
    yield 3, 200, 4
    yield 9, 503, 4


@pytest.mark.parametrize(("times", "status", "attempts"), list(outcomes()))
async def test_connections_that_break_are_made_again(
    tmp_path: Path, times: int, status: int, attempts: int
) -> None:
    place = Place()
    backend = place.address()
    async with (
        hanging(backend, 8081) as server,
        serving(tmp_path, manifests(place, backend), (), place) as served,
    ):
        server.times = times
        assert (await ask(served, "/resets"))[0] == status
        assert server.accepted == attempts


async def test_a_route_without_retries_makes_one_attempt(tmp_path: Path) -> None:
    place = Place()
    backend = place.address()
    async with (
        hanging(backend, 8081) as server,
        serving(tmp_path, manifests(place, backend), (), place) as served,
    ):
        server.times = 9
        counted = Counter([(await ask(served, "/else"))[0] for _ in range(3)])
        assert counted == {503: 3}
        assert server.accepted == 3
