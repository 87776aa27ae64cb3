"""What policies say of HTTP/2 toward endpoints, and what endpoints see of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from h2.settings import SettingCodes

from live.serving import Place, Served, answer, multiplexed, serving, until
from live.upstreams_http2 import Upstream2, upstream2
from live.worlds import config, entry, rule, shop

pytestmark = pytest.mark.live

NAMES = ("config", "rule", "plain")
"""Entries: with a BackendConfigPolicy, with a DestinationRule, with neither."""


@contextlib.asynccontextmanager
async def world(
    tmp_path: Path, of_config: str, of_rule: str
) -> AsyncIterator[tuple[Served, dict[str, Upstream2]]]:
    """Three entries whose endpoints speak HTTP/2, and the endpoints by the entry's name."""
    place = Place()
    addresses = {name: place.address() for name in NAMES}
    entries = [entry(name, each, port=3000, protocol="HTTP2") for name, each in addresses.items()]
    files = {
        "shop.yaml": shop(place, *entries),
        "config.yaml": config("config", f"http2ProtocolOptions: {{{of_config}}}"),
        "rule.yaml": rule(
            "rule.example", f"trafficPolicy: {{connectionPool: {{http: {{{of_rule}}}}}}}"
        ),
    }
    async with contextlib.AsyncExitStack() as stack:
        found = {
            name: await stack.enter_async_context(upstream2(each))
            for name, each in addresses.items()
        }
        yield await stack.enter_async_context(serving(tmp_path, files, [], place)), found


async def statuses(served: Served, name: str, times: int) -> list[int]:
    """Of so many requests at a time, over one connection: one of Envoy's threads sends all."""
    url = f"http://{served.place.gateway}:8080/{name}"
    async with multiplexed() as client:
        await client.get(url)  # so that the others find the connection
        found = await asyncio.gather(*(client.get(url) for _ in range(times)))
    return sorted(each.status_code for each in found)


async def test_windows_are_as_large_as_asked(tmp_path: Path) -> None:
    sizes = "initialStreamWindowSize: 128Ki, initialConnectionWindowSize: 1Mi"
    async with world(tmp_path, sizes, "maxConcurrentStreams: 9") as (served, endpoints):
        for name in NAMES:
            assert await statuses(served, name, 1) == [200]
        windows = {
            name: (link.settings.get(SettingCodes.INITIAL_WINDOW_SIZE, 65_535), link.window)
            for name, each in endpoints.items()
            for link in each.links[:1]
        }
    assert windows["config"] == (128 * 1024, 1024 * 1024)
    assert windows["rule"] == windows["plain"] != windows["config"]


async def test_a_connection_has_so_many_streams_at_a_time(tmp_path: Path) -> None:
    async with world(tmp_path, "maxConcurrentStreams: 2", "maxConcurrentStreams: 3") as (
        served,
        endpoints,
    ):
        for each in endpoints.values():
            each.delay = 0.3
        for name in NAMES:
            assert await statuses(served, name, 9) == [200] * 9
        most = {
            name: max(link.most_busy for link in each.links) for name, each in endpoints.items()
        }
        assert most == {"config": 2, "rule": 3, "plain": 9}


async def test_connections_are_asked_whether_they_are_alive(tmp_path: Path) -> None:
    of_config = "connectionKeepalive: {interval: 100ms, timeout: 100ms}"
    of_rule = "http2KeepAlive: {interval: 100ms, timeout: 100ms}"
    async with world(tmp_path, of_config, of_rule) as (served, endpoints):
        for name in NAMES:
            await statuses(served, name, 1)
        asked = [endpoints[name].links[0] for name in ("config", "rule")]
        await until(lambda: all(len(link.pings) > 1 for link in asked))
        assert all(link.is_open for link in asked)
        assert endpoints["plain"].links[0].pings == []
        for each in endpoints.values():
            each.deaf = True
        await until(lambda: not any(link.is_open for link in asked))
        assert endpoints["plain"].links[0].is_open


async def test_connections_that_were_idle_are_asked_before_they_are_used(tmp_path: Path) -> None:
    of_config = "connectionKeepalive: {timeout: 1s, connectionIdleInterval: 200ms}"
    async with world(tmp_path, of_config, "maxConcurrentStreams: 9") as (served, endpoints):
        link_of = {name: each.links for name, each in endpoints.items()}
        url = f"http://{served.place.gateway}:8080"
        async with multiplexed() as client:
            for name in NAMES:
                for _ in range(3):
                    assert (await client.get(f"{url}/{name}")).status_code == 200
            assert [len(link_of[name][0].pings) for name in NAMES] == [0, 0, 0]
            await asyncio.sleep(0.4)
            for name in NAMES:
                assert (await client.get(f"{url}/{name}")).status_code == 200
            assert [len(link_of[name][0].pings) for name in NAMES] == [1, 0, 0]


async def test_an_answer_that_is_none_ends_its_stream_only_if_asked(tmp_path: Path) -> None:
    lenient = "overrideStreamErrorOnInvalidHttpMessage: true"
    async with world(tmp_path, lenient, "maxConcurrentStreams: 9") as (served, endpoints):
        for each in endpoints.values():
            each.headers = [(":status", "200"), ("X-Wrong", "1")]
        for name in ("config", "plain"):
            found = answer(await served.to(served.place.gateway, 8080, f"/{name}"))
            assert found.status == 502
        await until(lambda: not endpoints["plain"].links[0].is_open)
        assert endpoints["config"].links[0].is_open
