"""Faults, limits, retries and redirects of TrafficPolicies, in seconds, requests and bytes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from live.client_http2 import client2
from live.serving import Place, Served, answer, serving
from live.upstreams import OK, Upstream, upstream
from live.worlds import entry

pytestmark = pytest.mark.live

SOON = 2.0
EARLY = 0.05
"""Seconds by which Envoy's clock may run ahead of ours."""
FAILED = b"HTTP/1.1 503 S\r\ncontent-length: 0\r\n\r\n"
SIZE = 40 * 1024


def manifests(place: Place, endpoint: str, asked: dict[str, str]) -> dict[str, str]:
    """A gateway with a route of its own, and a TrafficPolicy, for each name."""
    to = "{group: networking.istio.io, kind: ServiceEntry, name: api, port: 80}"
    text = f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: edge, namespace: shop}}
        spec:
          gatewayClassName: serai
          addresses: [{{value: {place.gateway}}}]
          listeners: [{{name: any, port: 8080, protocol: HTTP}}]
        ---{entry("api", endpoint, port=3000)}"""
    for name, spec in asked.items():
        text += f"""
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: {name}, namespace: shop}}
        spec:
          parentRefs: [{{name: edge}}]
          rules: [{{matches: [{{path: {{value: /{name}}}}}], backendRefs: [{to}]}}]
        ---
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: TrafficPolicy
        metadata: {{name: {name}, namespace: shop}}
        spec:
          targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: {name}}}]
          {spec}
        """
    return {"all.yaml": text}


@contextlib.asynccontextmanager
async def world(tmp_path: Path, asked: dict[str, str]) -> AsyncIterator[tuple[Served, Upstream]]:
    place = Place()
    at = place.address()
    async with (
        upstream(at) as endpoint,
        serving(tmp_path, manifests(place, at, asked), [], place) as served,
    ):
        yield served, endpoint


async def timed(served: Served, path: str) -> tuple[int, float]:
    """The status, and the seconds until all of the answer was there."""
    begun = time.monotonic()
    found = answer(await served.to(served.place.gateway, 8080, path))
    return found.status, time.monotonic() - begun


async def test_faults_that_take_time(tmp_path: Path) -> None:
    asked = {
        "delayed": "faultInjection: {delay: {fixedDelay: 300ms}}",
        "never": "faultInjection: {delay: {fixedDelay: 5s, percentage: 0}}",
        "slow": "faultInjection: {responseRateLimit: {kbitsPerSecond: 320}}",
        "plain": "faultInjection: {disable: {}}",
    }
    async with world(tmp_path, asked) as (served, endpoint):
        body = bytes(SIZE)
        endpoint.answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (SIZE, body)
        found = {name: await timed(served, f"/{name}") for name in asked}
        assert {status for status, _ in found.values()} == {200}
        assert 0.3 - EARLY <= found["delayed"][1] < SOON
        assert SIZE / 40_000 - 0.3 < found["slow"][1] < 2 * SOON  # 320 kbit are 40 kB
        assert found["never"][1] < 0.3
        assert found["plain"][1] < 0.3


async def test_so_many_faults_at_a_time(tmp_path: Path) -> None:
    delay = "delay: {fixedDelay: 500ms}"
    asked = {
        "two": f"faultInjection: {{{delay}, maxActiveFaults: 2}}",
        "none": f"faultInjection: {{{delay}, maxActiveFaults: 0}}",
        "all": f"faultInjection: {{{delay}}}",
    }
    async with world(tmp_path, asked) as (served, _):
        late = {}
        for name in asked:
            found = await asyncio.gather(*(timed(served, f"/{name}") for _ in range(6)))
            late[name] = sum(seconds > 0.4 for _, seconds in found)
    assert late["none"] == 0
    assert 2 <= late["two"] <= 3  # two threads may count at the same moment
    assert late["all"] == 6


async def test_streams_without_traffic_end(tmp_path: Path) -> None:
    asked = {
        "short": "timeouts: {streamIdle: 300ms}",
        "long": "timeouts: {request: 400ms, streamIdle: 10s}",
        "plain": "retry: {retryOn: [5xx]}",
    }
    async with world(tmp_path, asked) as (served, endpoint):
        endpoint.delay = 1.0
        status, seconds = await timed(served, "/short")
        assert status == 504
        assert 0.3 - EARLY <= seconds < 1
        status, seconds = await timed(served, "/long")
        assert status == 504
        assert 0.4 - EARLY <= seconds < 1
        assert (await timed(served, "/plain"))[0] == 200


async def test_when_and_how_often_is_asked_again(tmp_path: Path) -> None:
    asked = {
        "slow": "retry: {retryOn: [gateway-error], attempts: 3, backoffBaseInterval: 100ms}",
        "quick": "retry: {retryOn: [gateway-error], attempts: 3, backoffBaseInterval: 1ms}",
        "other": "retry: {retryOn: [connect-failure], attempts: 3}",
        "codes": "retry: {statusCodes: [503], attempts: 1}",
        "tried": "retry: {retryOn: [5xx], attempts: 2, perTryTimeout: 200ms, "
        "backoffBaseInterval: 1ms}",
    }
    async with world(tmp_path, asked) as (served, endpoint):
        endpoint.answer = FAILED
        took, times = {}, {}
        for name in ("quick", "other", "codes", "slow"):
            before = sum(endpoint.asked)
            status, took[name] = await timed(served, f"/{name}")
            assert status == 503
            times[name] = sum(endpoint.asked) - before
        assert times == {"quick": 4, "other": 1, "codes": 2, "slow": 4}
        # Each pause is of a random length: here up to 1 ms, 3 ms, 7 ms, there 100 times as long.
        assert took["quick"] < 0.3
        assert took["slow"] > took["quick"]
        endpoint.answer, endpoint.delay = OK, 0.6
        before = sum(endpoint.asked)
        status, seconds = await timed(served, "/tried")
        assert (status, sum(endpoint.asked) - before) == (504, 3)
        assert 0.6 - EARLY <= seconds < 1


async def test_calls_that_fail_on_purpose(tmp_path: Path) -> None:
    asked = {
        "call": "faultInjection: {abort: {grpcStatus: 14}}",
        "half": "faultInjection: {abort: {httpStatus: 418, percentage: 50}}",
    }
    async with world(tmp_path, asked) as (served, _):
        async with client2(served.place.gateway, 8080) as client:
            found = await client.ask("/call", ("content-type", "application/grpc"))
        assert dict(found.headers)["grpc-status"] == "14"
        statuses = {(await timed(served, "/half"))[0] for _ in range(40)}
        assert statuses == {200, 418}


async def test_redirects_that_are_followed(tmp_path: Path) -> None:
    codes = "redirectResponseCodes: [302]"
    asked = {
        "landed": "statPrefix: landed",
        "again": f"internalRedirect: {{{codes}}}",
        "twice": f"internalRedirect: {{{codes}, maxRedirects: 2, responseHeadersToCopy: [x-seen]}}",
        "cross": f"internalRedirect: {{{codes}, allowCrossSchemeRedirect: true}}",
        "plain": "statPrefix: plain",
    }
    async with world(tmp_path, asked) as (served, endpoint):

        async def redirected(path: str, to: str) -> tuple[int, bytes]:
            """The status, and the last request's head, of an endpoint that always redirects."""
            headers = f"location: {to}\r\nx-seen: 1\r\ncontent-length: 0"
            endpoint.answer = f"HTTP/1.1 302 S\r\n{headers}\r\n\r\n".encode()
            before = sum(endpoint.asked)
            found = answer(await served.to(served.place.gateway, 8080, path))
            return sum(endpoint.asked) - before, str(found.status).encode() + endpoint.last

        same = "http://x:8080"
        assert (await redirected("/plain", f"{same}/landed"))[0] == 1
        assert (await redirected("/again", f"{same}/again"))[0] == 2
        times, last = await redirected("/twice", f"{same}/twice")
        assert times == 3
        assert b"x-seen: 1" in last
        assert (await redirected("/again", "https://x/again"))[0] == 1
        assert (await redirected("/cross", "https://x/cross"))[0] == 2


async def test_a_bucket_counts_and_refuses_a_part_and_is_filled(tmp_path: Path) -> None:
    bucket = "tokenBucket: {maxTokens: 1, fillInterval: 1h}"
    filled = "tokenBucket: {maxTokens: 3, tokensPerFill: 3, fillInterval: 300ms}"
    asked = {
        "all": f"rateLimit: {{local: {{{bucket}}}}}",
        "unlimited": f"rateLimit: {{local: {{{bucket}, percentEnabled: 0}}}}",
        "counted": f"rateLimit: {{local: {{{bucket}, percentEnforced: 0}}}}",
        "filled": f"rateLimit: {{local: {{{filled}}}}}",
    }
    async with world(tmp_path, asked) as (served, _):

        async def passed(name: str) -> int:
            return sum([(await timed(served, f"/{name}"))[0] == 200 for _ in range(6)])

        assert [await passed(name) for name in ("all", "unlimited", "counted")] == [1, 6, 6]
        first = await passed("filled")
        assert first < 6
        await asyncio.sleep(0.4)
        assert await passed("filled") >= 3
