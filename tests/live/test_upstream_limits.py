"""Limits on what is sent to endpoints at a time, and on what is asked again."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from live.serving import Place, Served, multiplexed, serving
from live.upstreams import Upstream, upstream
from live.worlds import config, entry, rule, shop

pytestmark = pytest.mark.live

FAILED = b"HTTP/1.1 503 S\r\ncontent-length: 0\r\n\r\n"
RETRIED = """
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: TrafficPolicy
        metadata: {name: again, namespace: shop}
        spec:
          targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: all}]
          retry: {retryOn: [gateway-error], attempts: 1, backoffBaseInterval: 25ms}
        """


@contextlib.asynccontextmanager
async def world(
    tmp_path: Path, configs: dict[str, str], rules: dict[str, str], more: str = ""
) -> AsyncIterator[tuple[Served, dict[str, Upstream]]]:
    """Entries with policies of either kind, and `plain` with none; their endpoints by name."""
    place = Place()
    addresses = {name: place.address() for name in (*configs, *rules, "plain")}
    entries = [entry(name, each, port=3000) for name, each in addresses.items()]
    asked = [config(name, each) for name, each in configs.items()]
    asked += [
        rule(f"{name}.example", f"trafficPolicy: {{{each}}}", name) for name, each in rules.items()
    ]
    files = {"shop.yaml": shop(place, *entries), "asked.yaml": "\n        ---".join(asked)}
    if more:
        files["more.yaml"] = more
    async with contextlib.AsyncExitStack() as stack:
        found = {
            name: await stack.enter_async_context(upstream(each))
            for name, each in addresses.items()
        }
        yield await stack.enter_async_context(serving(tmp_path, files, [], place)), found


async def statuses(served: Served, name: str, times: int = 8) -> Counter[int]:
    """Of so many requests at a time, over one connection: one of Envoy's threads sends all."""
    url = f"http://{served.place.gateway}:8080/{name}"
    async with multiplexed() as client:
        await client.get(url)  # so that the others find the connection
        found = await asyncio.gather(*(client.get(url) for _ in range(times)))
    assert all("x-envoy-overloaded" in each.headers for each in found if each.status_code != 200)
    return Counter(each.status_code for each in found)


async def test_what_is_above_a_limit_is_refused(tmp_path: Path) -> None:
    """One connection and one that waits for it; so many requests at a time."""
    one = "maxConnections: 1, maxPendingRequests: 2"
    configs = {
        "connections": f"circuitBreakers: {{{one}}}",
        "requests": "circuitBreakers: {maxRequests: 3}",
    }
    rules = {
        "rule-connections": "connectionPool: {tcp: {maxConnections: 1}, "
        "http: {http1MaxPendingRequests: 2}}",
        "rule-requests": "connectionPool: {http: {http2MaxRequests: 3}}",
    }
    async with world(tmp_path, configs, rules) as (served, endpoints):
        for each in endpoints.values():
            each.delay = 0.2
        found = {name: await statuses(served, name) for name in endpoints}
        assert found == {
            "connections": {200: 3, 503: 5},
            "rule-connections": {200: 3, 503: 5},
            "requests": {200: 3, 503: 5},
            "rule-requests": {200: 3, 503: 5},
            "plain": {200: 8},
        }
        assert len(endpoints["connections"].links) == 1
        assert endpoints["requests"].most_busy == 3


async def test_what_is_above_a_limit_is_not_asked_again(tmp_path: Path) -> None:
    configs = {"never": "circuitBreakers: {maxRetries: 0}"}
    rules = {
        "one": "connectionPool: {http: {maxRetries: 1}}",
        "budget": "retryBudget: {percent: 0.1, minRetryConcurrency: 2}",
        "rich": "retryBudget: {percent: 100}",
    }
    async with world(tmp_path, configs, rules, RETRIED) as (served, endpoints):
        url = f"http://{served.place.gateway}:8080"
        async with multiplexed() as client:
            for name, each in endpoints.items():
                await client.get(f"{url}/{name}")
                each.answer, each.delay = FAILED, 0.2
                for link in each.links:
                    link.heads.clear()
                await asyncio.gather(*(client.get(f"{url}/{name}") for _ in range(8)))
        asked = {name: sum(each.asked) for name, each in endpoints.items()}
    # A budget is a part of what is under way, and what waits to be asked again is not.
    assert asked["budget"] < asked.pop("rich") < asked["plain"]
    assert asked == {"never": 8, "one": 9, "budget": 10, "plain": 16}


async def test_what_is_left_of_a_limit_is_counted_if_asked(tmp_path: Path) -> None:
    configs = {
        "counted": "circuitBreakers: {maxRequests: 30, trackRemaining: true}",
        "uncounted": "circuitBreakers: {maxRequests: 30}",
    }
    async with world(tmp_path, configs, {}) as (served, endpoints):
        endpoints["counted"].delay = 0.5
        asking = asyncio.create_task(statuses(served, "counted", 5))
        await statuses(served, "uncounted", 1)
        left: dict[str, int] = {}
        async with asyncio.timeout(5):
            while left.get("counted") != 25:
                left = await remaining(served)
        assert await asking == {200: 5}
        assert left == {"counted": 25}


async def remaining(served: Served) -> dict[str, int]:
    """How many more requests each service may be sent, as Envoy's statistics have it."""
    assert served.instance.fleet is not None
    admin = served.instance.fleet.statuses()[0].admin
    async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
        found = await client.get(f"http://{admin}/stats?filter=default.remaining_rq")
    told = re.findall(r"\|(\w+)\.example;?.*default\.remaining_rq: (\d+)", found.text)
    return {name: int(value) for name, value in told}
