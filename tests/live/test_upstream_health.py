"""What is asked of endpoints about their health, and which failures end their turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from live.serving import SECONDS, Place, Served, answer, serving, until
from live.sick_server import Sick, sick
from live.state import shown, until_known
from live.upstreams import upstream
from live.upstreams_http2 import HEALTH, NOT_SERVING, SERVING, upstream2
from live.worlds import config, entry, rule, shop
from serai.views.state import State

pytestmark = pytest.mark.live

OFTEN = "timeout: 1s, interval: 100ms, unhealthyThreshold: 1, healthyThreshold: 1"


async def test_a_check_asks_what_the_policy_says(tmp_path: Path) -> None:
    place = Place()
    asked = {
        "http": f"healthCheck: {{{OFTEN}, http: {{path: /up, host: probe.example, method: HEAD}}}}",
        "plain": f"healthCheck: {{{OFTEN}, http: {{path: /}}}}",
        "grpc": f"healthCheck: {{{OFTEN}, grpc: {{serviceName: shop.Cart, authority: a.example}}}}",
    }
    addresses = {name: place.address() for name in asked}
    files = {
        "shop.yaml": shop(place, *(entry(name, at, port=3000) for name, at in addresses.items())),
        **{f"{name}.yaml": config(name, each) for name, each in asked.items()},
    }
    async with (
        upstream(addresses["http"]) as http,
        upstream(addresses["plain"]) as plain,
        upstream2(addresses["grpc"]) as grpc,
        serving(tmp_path, files, [], place),
    ):
        await until(lambda: all(each.links for each in (http, plain, grpc)))
        await until(lambda: bool(http.links[0].heads and plain.links[0].heads))
        assert http.last.startswith(b"HEAD /up HTTP/1.1\r\nhost: probe.example\r\n")
        assert plain.last.startswith(b"GET / HTTP/1.1\r\nhost: plain.example\r\n")
        await until(lambda: bool(grpc.links[0].body))
        head = grpc.links[0].head
        assert (head[":path"], head[":authority"]) == (HEALTH, "a.example")
        assert b"shop.Cart" in grpc.links[0].body


LATE = 3
"""A thread of Envoy that chooses may hear of an ejection a little later."""
EJECTS = "interval: 50ms, baseEjectionTime: 30s, maxEjectionPercent: 100"
SPLIT = "splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2"
CONFIGS = {
    "config": "consecutive5xx: 3, interval: 50ms, maxEjectionPercent: 100",
    "few": "consecutive5xx: 3, interval: 50ms, maxEjectionPercent: 0",
    "short": "consecutive5xx: 3, interval: 50ms, maxEjectionPercent: 100, baseEjectionTime: 300ms",
}
RULES = {
    "five": f"consecutive5xxErrors: 3, {EJECTS}",
    "gateway": f"consecutiveGatewayErrors: 3, consecutive5xxErrors: 0, {EJECTS}",
    "half": f"consecutive5xxErrors: 3, {EJECTS}, minHealthPercent: 60",
    "local": f"{SPLIT}, consecutive5xxErrors: 0, {EJECTS}",
}


@contextlib.asynccontextmanager
async def ejecting(tmp_path: Path) -> AsyncIterator[tuple[Served, Sick]]:
    """Entries with the same two endpoints, one of which is the test's to make sick."""
    place = Place()
    one, two = place.address(), place.address()
    names = [*CONFIGS, *RULES, "plain"]
    files = {
        "shop.yaml": shop(place, *(entry(name, one, two, port=3000) for name in names)),
        **{
            f"{name}.yaml": config(name, f"outlierDetection: {{{each}}}")
            for name, each in CONFIGS.items()
        },
        **{
            f"{name}.yaml": rule(
                f"{name}.example", f"trafficPolicy: {{outlierDetection: {{{each}}}}}", name
            )
            for name, each in RULES.items()
        },
    }
    async with (
        sick(one, 3000, "one") as first,
        sick(two, 3000, "two"),
        serving(tmp_path, files, [], place) as served,
    ):
        yield served, first


async def failures(served: Served, name: str, times: int = 16) -> int:
    found = [answer(await served.to(served.place.gateway, 8080, f"/{name}")) for _ in range(times)]
    return sum(each.status != 200 for each in found)


async def test_failures_of_the_kind_that_counts_end_an_endpoints_turn(tmp_path: Path) -> None:
    async with ejecting(tmp_path) as (served, first):
        first.status = 500
        assert await failures(served, "gateway") >= 7  # none from a gateway
        for name in ("config", "five", "short"):
            assert 3 <= await failures(served, name) < 3 + LATE, name
            assert await failures(served, name, 4) == 0 or name == "short"
        for name in ("few", "half", "plain"):
            assert await failures(served, name) >= 7, name
        first.status = 503
        assert 3 <= await failures(served, "gateway") < 3 + LATE
        first.status = 200
        asked = first.asked["/short"]
        async with asyncio.timeout(5):
            while first.asked["/short"] == asked:
                assert await failures(served, "short", 2) == 0
        assert await failures(served, "five") == 0
        assert first.asked["/five"] < 3 + LATE


async def test_connections_that_fail_are_counted_apart_if_asked(tmp_path: Path) -> None:
    async with ejecting(tmp_path) as (served, first):
        first.status = 503
        assert await failures(served, "local") >= 7  # it is there, and answers
    place = Place()
    one, nobody = place.address(), place.address()
    names = ("local", "plain")
    spec = f"trafficPolicy: {{outlierDetection: {{{RULES['local']}}}}}"
    files = {
        "shop.yaml": shop(place, *(entry(name, one, nobody, port=3000) for name in names)),
        "rule.yaml": rule("local.example", spec),
    }
    (tmp_path / "two").mkdir()
    async with sick(one, 3000, "one"), serving(tmp_path / "two", files, [], place) as served:
        assert 2 <= await failures(served, "local") < 2 + LATE
        assert await failures(served, "plain") >= 7


async def test_who_says_that_he_is_not_serving_gets_nothing(tmp_path: Path) -> None:
    place = Place()
    one, two = place.address(), place.address()
    files = {
        "shop.yaml": shop(place, entry("grpc", one, two, port=3000, protocol="GRPC")),
        "policy.yaml": config("grpc", f"healthCheck: {{{OFTEN}, grpc: {{}}}}"),
    }
    async with (
        upstream2(one) as first,
        upstream2(two) as second,
        serving(tmp_path, files, [], place) as served,
    ):
        for name, each in (("one", first), ("two", second)):
            each.headers, each.health = [(":status", "200"), ("x-pod", name)], SERVING

        async def until_all(wanted: set[str]) -> None:
            """Envoy takes changes of health together that come within a second."""
            found: set[str] = set()
            async with asyncio.timeout(SECONDS):
                while found != wanted:
                    asked = [await served.to(place.gateway, 8080, "/grpc") for _ in range(8)]
                    found = {answer(each).header("x-pod") for each in asked}

        def told(state: State) -> str:
            return shown(state)[one][1]

        both = {"one", "two"}
        await until_known(served, lambda state: "healthy" in told(state).split(), health=True)
        await until_known(served, lambda state: "healthy" in shown(state)[two][1], health=True)
        await until_all(both)
        first.health = NOT_SERVING
        failed = "failed_active_health_check"
        await until_known(served, lambda state: failed in told(state), health=True)
        await until_all({"two"})
        first.health = SERVING
        await until_known(served, lambda state: "healthy" in told(state).split(), health=True)
        await until_all(both)
