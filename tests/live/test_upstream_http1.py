"""What policies say of HTTP/1.1 toward endpoints and of the version, and what comes of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from live.client_http2 import asking, client2, until_ended
from live.listeners import held
from live.serving import Place, Served, answer, echoed, serving, until, workload
from live.upstreams import Upstream, upstream
from live.worlds import config, entry, rule, shop
from serai.echo.endpoint import EchoEndpoint, Identity

pytestmark = pytest.mark.live

NAMES = ("config", "plain")


@contextlib.asynccontextmanager
async def world(
    tmp_path: Path, of_config: str
) -> AsyncIterator[tuple[Served, dict[str, Upstream]]]:
    """An entry with a BackendConfigPolicy and one without, and their endpoints."""
    place = Place()
    addresses = {name: place.address() for name in NAMES}
    entries = [entry(name, each, port=3000) for name, each in addresses.items()]
    files = {"shop.yaml": shop(place, *entries), "config.yaml": config("config", of_config)}
    async with contextlib.AsyncExitStack() as stack:
        found = {
            name: await stack.enter_async_context(upstream(each))
            for name, each in addresses.items()
        }
        yield await stack.enter_async_context(serving(tmp_path, files, [], place)), found


async def test_names_of_headers_stay_as_endpoints_write_them(tmp_path: Path) -> None:
    kept = "http1ProtocolOptions: {preserveHttp1HeaderCase: true}"
    async with world(tmp_path, kept) as (served, endpoints):
        mixed = b"HTTP/1.1 200 OK\r\nX-MiXed: 1\r\nContent-Length: 0\r\n\r\n"
        for each in endpoints.values():
            each.answer = mixed
        async with held(served.place.gateway, 8080) as client:
            assert b"X-MiXed: 1" in await client.ask("/config")
            assert b"x-mixed: 1" in await client.ask("/plain")


async def test_trailers_go_both_ways_where_they_are_asked_for(tmp_path: Path) -> None:
    taken = "http1ProtocolOptions: {enableTrailers: true}"
    async with world(tmp_path, taken) as (served, endpoints):
        chunked = b"transfer-encoding: chunked\r\ntrailer: x-back\r\n\r\n2\r\nok\r\n0\r\nx-back: 1"
        for each in endpoints.values():
            each.answer = b"HTTP/1.1 200 OK\r\n" + chunked + b"\r\n\r\n"
        found = {}
        async with client2(served.place.gateway, 8080) as client:
            for name, endpoint in endpoints.items():
                number, answer = client.begin(asking(f"/{name}", method="POST"), ended=False)
                client.go_on(number, b"hello", [("x-sent", "1")])
                await until_ended(answer)
                assert (answer.status, answer.body) == (200, b"ok")
                found[name] = (answer.trailers, b"x-sent: 1" in endpoint.links[0].body)
    assert found == {"config": ([("x-back", "1")], True), "plain": ([], False)}


async def test_a_rule_says_which_version_is_spoken(tmp_path: Path) -> None:
    """Istio: h2UpgradePolicy, useClientProtocol."""
    place = Place()
    ports = {"up": "h2c", "same": "http", "plain": "http"}
    addresses = {name: place.address() for name in ports}
    entries = [entry(name, each, port=3000) for name, each in addresses.items()]
    asked = {"up": "h2UpgradePolicy: UPGRADE", "same": "useClientProtocol: true"}
    rules = {
        f"{name}.yaml": rule(
            f"{name}.example", f"trafficPolicy: {{connectionPool: {{http: {{{each}}}}}}}", name
        )
        for name, each in asked.items()
    }
    echoes = [
        EchoEndpoint(addresses["up"], 3000, Identity(pod="up"), "h2c"),
        workload(addresses["plain"], 3000, "plain"),
    ]
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(14))
        writer.close()

    files = {"shop.yaml": shop(place, *entries), **rules}
    listening = await asyncio.start_server(hear, addresses["same"], 3000)
    async with listening, serving(tmp_path, files, echoes, place) as served:

        async def version(name: str) -> Any:
            return echoed(await served.to(place.gateway, 8080, f"/{name}"))["proto"]

        assert [await version("up"), await version("plain")] == ["HTTP/2.0", "HTTP/1.1"]
        await served.to(place.gateway, 8080, "/same")
        async with client2(place.gateway, 8080) as client:
            await client.ask("/same")
        assert [heard[0], heard[-1]] == [b"GET /same HTTP", b"PRI * HTTP/2.0"]


async def test_a_connection_ends_with_an_answer_that_is_none_whatever_is_asked(
    tmp_path: Path,
) -> None:
    """So there is a warning where a policy asks for it."""
    lenient = "http1ProtocolOptions: {overrideStreamErrorOnInvalidHttpMessage: true}"
    async with world(tmp_path, lenient) as (served, endpoints):
        for name, each in endpoints.items():
            each.answer = b"HTTP/1.1 200 OK\r\nno header\r\ncontent-length: 0\r\n\r\n"
            found = answer(await served.to(served.place.gateway, 8080, f"/{name}"))
            assert found.status == 502
            await until(lambda link=each.links[0]: link.closed > 0)  # type: ignore[misc]
        problems = served.instance.core.pipeline.problems.items()
        assert "SER1107" in {each.code for _, each in problems}
