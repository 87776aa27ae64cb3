"""What policies say of connections to endpoints, and what endpoints see of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from listening import listening
from live.listeners import held
from live.serving import Place, Served, answer, serving, until
from live.sockets import keepalive, socket_of
from live.upstreams import OK, Upstream, black_hole, upstream
from live.worlds import config, entry, rule, shop

pytestmark = pytest.mark.live

SOON = 2.0
"""Seconds; Envoy by itself waits 5 for a connection, and keeps idle ones for an hour."""
EARLY = 0.05
"""Seconds by which Envoy's clock may run ahead of ours."""


class Asked:
    """A world where two policies ask for the same, each for an entry of its own."""

    def __init__(self, place: Place) -> None:
        self.addresses = {name: place.address() for name in ("config", "rule")}

    def files(self, place: Place, of_config: str, of_rule: str, **how: str) -> dict[str, str]:
        """The manifests, with a BackendConfigPolicy for one entry and a DestinationRule."""
        entries = [entry(name, each, port=3000, **how) for name, each in self.addresses.items()]
        return {
            "shop.yaml": shop(place, *entries),
            "config.yaml": config("config", of_config),
            "rule.yaml": rule("rule.example", f"trafficPolicy: {{{of_rule}}}"),
        }


@contextlib.asynccontextmanager
async def both(
    tmp_path: Path, of_config: str, of_rule: str
) -> AsyncIterator[tuple[Served, dict[str, Upstream]]]:
    """That world being served, and the endpoints by the entry's name."""
    place = Place()
    asked = Asked(place)
    async with contextlib.AsyncExitStack() as stack:
        found = {
            name: await stack.enter_async_context(upstream(each))
            for name, each in asked.addresses.items()
        }
        files = asked.files(place, of_config, of_rule)
        yield await stack.enter_async_context(serving(tmp_path, files, [], place)), found


async def test_a_connection_is_waited_for_as_long_as_asked(tmp_path: Path) -> None:
    place = Place()
    asked = Asked(place)
    files = asked.files(
        place, "connectTimeout: 300ms", "connectionPool: {tcp: {connectTimeout: 600ms}}"
    )
    with contextlib.ExitStack() as stack:
        for each in asked.addresses.values():
            stack.enter_context(black_hole(each))
        async with serving(tmp_path, files, [], place) as served:
            for name, least in (("config", 0.3), ("rule", 0.6)):
                begun = time.monotonic()
                found = answer(await served.to(place.gateway, 8080, f"/{name}"))
                assert found.status == 503
                assert b"connection timeout" in found.body
                assert least - EARLY <= time.monotonic() - begun < SOON


async def test_idle_connections_are_closed(tmp_path: Path) -> None:
    of_rule = "connectionPool: {http: {idleTimeout: 300ms}}"
    of_config = "commonHttpProtocolOptions: {idleTimeout: 300ms}"
    async with both(tmp_path, of_config, of_rule) as (served, endpoints):
        for name, endpoint in endpoints.items():
            assert answer(await served.to(served.place.gateway, 8080, f"/{name}")).status == 200
            await until(lambda link=endpoint.links[0]: link.lasted > 0)  # type: ignore[misc]
            assert 0.3 - EARLY <= endpoint.links[0].lasted < SOON


async def test_a_connection_is_for_so_many_requests(tmp_path: Path) -> None:
    of_rule = "connectionPool: {http: {maxRequestsPerConnection: 2}}"
    of_config = "commonHttpProtocolOptions: {maxRequestsPerConnection: 3}"
    async with both(tmp_path, of_config, of_rule) as (served, endpoints):
        async with held(served.place.gateway, 8080) as client:
            for _ in range(5):
                for name in endpoints:
                    assert b"200 OK" in await client.ask(f"/{name}")
        assert endpoints["config"].asked == [3, 2]
        assert endpoints["rule"].asked == [2, 2, 1]


async def test_a_connection_has_an_age(tmp_path: Path) -> None:
    """Istio: maxConnectionDuration; requests after it take another connection."""
    of_rule = "connectionPool: {tcp: {maxConnectionDuration: 400ms}}"
    async with both(tmp_path, "connectTimeout: 5s", of_rule) as (served, endpoints):
        async with held(served.place.gateway, 8080) as client:
            for _ in range(10):
                for name in endpoints:
                    assert b"200 OK" in await client.ask(f"/{name}")
                await asyncio.sleep(0.1)
        assert endpoints["config"].asked == [10]
        assert len(endpoints["rule"].links) > 1


async def test_silent_endpoints_are_asked_whether_they_are_there(tmp_path: Path) -> None:
    of_rule = "connectionPool: {tcp: {tcpKeepalive: {time: 40s, interval: 8s, probes: 3}}}"
    of_config = "tcpKeepalive: {keepAliveTime: 20s, keepAliveInterval: 10s, keepAliveProbes: 5}"
    async with both(tmp_path, of_config, of_rule) as (served, endpoints):
        assert served.instance.fleet is not None
        envoy = served.instance.fleet.statuses()[0].pid
        asked = {}
        for name, endpoint in endpoints.items():
            await served.to(served.place.gateway, 8080, f"/{name}")
            with socket_of(envoy, endpoint.links[0].peer) as found:
                asked[name] = keepalive(found)
    assert asked == {"config": (1, 20, 10, 5), "rule": (1, 40, 8, 3)}


async def test_a_stream_has_an_age(tmp_path: Path) -> None:
    of_config = "commonHttpProtocolOptions: {maxStreamDuration: 300ms}"
    async with both(tmp_path, of_config, "connectionPool: {}") as (served, endpoints):
        for endpoint in endpoints.values():
            endpoint.delay = 0.8
        found = answer(await served.to(served.place.gateway, 8080, "/config"))
        assert found.status == 504
        assert answer(await served.to(served.place.gateway, 8080, "/rule")).status == 200


async def test_answers_have_so_many_headers_at_most(tmp_path: Path) -> None:
    of_config = "commonHttpProtocolOptions: {maxHeadersCount: 20}"
    async with both(tmp_path, of_config, "connectionPool: {}") as (served, endpoints):
        many = b"".join(b"x-%d: 1\r\n" % number for number in range(30))
        for endpoint in endpoints.values():
            endpoint.answer = b"HTTP/1.1 200 OK\r\n%scontent-length: 0\r\n\r\n" % many
        assert answer(await served.to(served.place.gateway, 8080, "/config")).status == 502
        assert answer(await served.to(served.place.gateway, 8080, "/rule")).status == 200


async def test_so_much_is_kept_for_an_endpoint_that_does_not_read(tmp_path: Path) -> None:
    place = Place()
    asked = Asked(place)
    files = asked.files(place, "perConnectionBufferLimitBytes: 67108864", "connectionPool: {}")
    async with contextlib.AsyncExitStack() as stack:
        for each in asked.addresses.values():
            await stack.enter_async_context(unreading(each))
        await stack.enter_async_context(serving(tmp_path, files, [], place))
        sent = {name: await taken(place.gateway, 8080, f"/{name}") for name in asked.addresses}
    assert sent["config"] == MUCH
    assert sent["rule"] < MUCH


MUCH = 48 * 1024 * 1024
"""Bytes, more than systems keep for a connection."""


@contextlib.asynccontextmanager
async def unreading(address: str) -> AsyncIterator[None]:
    """An endpoint that accepts connections and never looks at them."""

    async def ignore(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with listening(ignore, address, 3000):
        yield


async def taken(address: str, port: int, path: str) -> int:
    """How many bytes of a large body are taken within a second."""
    _, writer = await asyncio.open_connection(address, port)
    part, sent = bytes(256 * 1024), 0
    writer.transport.set_write_buffer_limits(0)
    writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {MUCH}\r\n\r\n".encode())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            while sent < MUCH:
                writer.write(part)
                await writer.drain()
                sent += len(part)
    writer.transport.abort()
    return sent


async def test_endpoints_are_told_each_clients_address(tmp_path: Path) -> None:
    """No connection is shared by clients of which it tells."""
    place = Place()
    asked = Asked(place)
    files = asked.files(place, "upstreamProxyProtocol: {version: V2}", "proxyProtocol: {}")
    clients = ["127.0.8.1", "127.0.8.2"]
    async with contextlib.AsyncExitStack() as stack:
        told = {
            name: await stack.enter_async_context(hearing(each))
            for name, each in asked.addresses.items()
        }
        await stack.enter_async_context(serving(tmp_path, files, [], place))
        for each in clients:
            for name in asked.addresses:
                source = httpx2.AsyncHTTPTransport(verify=False, local_address=each)
                async with httpx2.AsyncClient(transport=source) as client:
                    found = await client.get(f"http://{place.gateway}:8080/{name}")
                    assert found.status_code == 200
    assert [each.split(b" ")[:3] for each in told["rule"]] == [
        [b"PROXY", b"TCP4", each.encode()] for each in clients
    ]
    assert [each[:12] for each in told["config"]] == [b"\r\n\r\n\0\r\nQUIT\n"] * 2
    assert [socket.inet_ntoa(each[16:20]) for each in told["config"]] == clients


@contextlib.asynccontextmanager
async def hearing(address: str) -> AsyncIterator[list[bytes]]:
    """An endpoint that keeps how each connection begins, and answers."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4096))
        while not heard[-1].endswith(b"\r\n\r\n") or b"HTTP/1.1" not in heard[-1]:
            heard[-1] += await reader.read(4096)
        writer.write(OK)
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(serve, address, 3000)
    async with listening:
        yield heard
