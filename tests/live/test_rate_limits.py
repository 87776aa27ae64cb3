"""Global rate limits through real Envoys: Serai's own service, and somebody else's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any

import grpc
import pytest

from live.envoys import end_what_names
from live.processes import kill, running
from live.serving import (
    SECONDS,
    Place,
    Served,
    answer,
    eventually,
    request,
    serving,
    workload,
)
from ratelimit.redis_server import RedisServer, until
from serai.app.client.http import Entry, HttpAnswer, send
from serai.echo.server import echo
from serai.envoy.leftovers import stop_leftovers
from serai.envoy.pid import processes
from serai.proto.envoy import RateLimitRequest, RateLimitResponse

pytestmark = pytest.mark.live

PORT = 8080
LIMIT = 20

SHOP = """
    apiVersion: v1
    kind: Namespace
    metadata: {name: shop}
    ---
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: vendor, namespace: shop}
    spec:
      hosts: [vendor.example]
      ports: [{number: 80, name: http, protocol: HTTP}]
      resolution: STATIC
      endpoints: [{address: %(vendor)s, ports: {http: 8080}}]
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: vendor, namespace: shop}
    spec:
      parentRefs: [%(parents)s]
      rules:
      - name: open
        backendRefs: &vendor
        - {group: networking.istio.io, kind: ServiceEntry, name: vendor, port: 80}
      - name: closed
        matches: [{path: {value: /closed}}]
        backendRefs: *vendor
"""

GATEWAY = """
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: %(name)s, namespace: shop}
    spec:
      gatewayClassName: serai
      addresses: [{type: IPAddress, value: %(address)s}]
      listeners: [{name: http, port: 8080, protocol: HTTP}]
"""

LIMITS = """
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: limits, namespace: shop, labels: {serai.dev/rate-limits: "true"}}
    data:
      limits.yaml: |
        domain: vendor
        descriptors:
        - key: x-client
          rate_limit: {unit: hour, requests_per_unit: %d}
"""

POLICY = """
    apiVersion: gateway.kgateway.dev/v1alpha1
    kind: GatewayExtension
    metadata: {name: %(name)s, namespace: shop}
    spec:
      type: RateLimit
      rateLimit: {domain: vendor, failOpen: %(open)s, timeout: 5s%(more)s}
    ---
    apiVersion: gateway.kgateway.dev/v1alpha1
    kind: TrafficPolicy
    metadata: {name: %(name)s, namespace: shop}
    spec:
      targetRefs:
      - {group: gateway.networking.k8s.io, kind: HTTPRoute, name: vendor, sectionName: %(name)s}
      rateLimit:
        global:
          extensionRef: {name: %(name)s}
          descriptors: [{entries: [{type: Header, header: x-client}]}]
"""


def policies(more: str = "") -> str:
    return "\n    ---".join(
        POLICY % {"name": name, "open": open_, "more": more}
        for name, open_ in (("open", "true"), ("closed", "false"))
    )


def shop(vendor: str, gateways: tuple[str, ...]) -> str:
    names = [f"gateway-{number}" for number in range(len(gateways))]
    parents = ", ".join(f"{{name: {name}}}" for name in names)
    named = zip(names, gateways, strict=True)
    edges = (GATEWAY % {"name": name, "address": address} for name, address in named)
    return "".join((SHOP % {"vendor": vendor, "parents": parents}, *edges))


class World(Served):
    """Gateways in front of a vendor."""

    gateways: tuple[str, ...]

    async def get(self, client: str, path: str = "/", gateway: int = 0) -> HttpAnswer:
        found = await self.to(
            self.gateways[gateway], PORT, path, host="vendor.example", x_client=client
        )
        return answer(found)

    async def statuses(self, client: str, number: int, path: str = "/") -> Counter[int]:
        """So many requests at once through all gateways, by what was answered."""
        ways = range(len(self.gateways))
        asked = (self.get(client, path, way) for _ in range(number // len(ways)) for way in ways)
        return Counter(each.status for each in await asyncio.gather(*asked))


@contextlib.asynccontextmanager
async def world(
    tmp: Path, *, gateways: int = 1, more: str = "", limit: int = LIMIT
) -> AsyncIterator[World]:
    place = Place()
    vendor = place.address()
    found = tuple(place.address() for _ in range(gateways))
    files = {
        "shop.yaml": shop(vendor, found),
        "limits.yaml": LIMITS % limit,
        "policies.yaml": policies(more),
    }
    tmp.mkdir(exist_ok=True)  # noqa: ASYNC240
    async with serving(tmp, files, [workload(vendor, PORT, "vendor")], place) as served:
        served.__class__ = World
        assert isinstance(served, World)
        served.gateways = found
        if not more:
            # Where it fails closed, an answer says that it counts.
            for way in range(gateways):
                await eventually(
                    partial(served.get, "first", "/closed", way), lambda told: told.status == 200
                )
        yield served


async def test_two_envoys_together_let_pass_just_as_many_as_may(tmp_path: Path) -> None:
    async with world(tmp_path, gateways=2) as vendor:
        assert await vendor.statuses("a", 4 * LIMIT) == {200: LIMIT, 429: 3 * LIMIT}
        assert await vendor.statuses("b", LIMIT) == {200: LIMIT}
        assert vendor.instance.problems() == ()

        vendor.write("limits.yaml", LIMITS % (2 * LIMIT))

        async def raised() -> bool:
            client = f"probe-{os.urandom(4).hex()}"
            return (await vendor.statuses(client, 2 * LIMIT))[429] == 0

        await until(raised)
        assert await vendor.statuses("c", 4 * LIMIT) == {200: 2 * LIMIT, 429: 2 * LIMIT}

        vendor.write("policies.yaml", "")

        async def unlimited() -> bool:
            return await vendor.statuses("a", 4 * LIMIT) == {200: 4 * LIMIT}

        await until(unlimited)


async def test_a_service_that_is_killed_comes_back(tmp_path: Path) -> None:
    async with world(tmp_path) as vendor:
        before = await vendor.get("a", "/closed")
        limits = vendor.instance.limits
        first = limits.pid
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: vendor.get("b", "/closed"), lambda found: found.status == 200)

        assert before.status == 200
        assert limits.pid not in {0, first}
        assert await vendor.statuses("c", 2 * LIMIT) == {200: LIMIT, 429: LIMIT}


async def test_a_redis_is_shared_and_may_go_and_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = RedisServer(tmp_path)
    await redis.start()
    monkeypatch.setenv("SERAI_RATELIMIT_REDIS", redis.url)
    try:
        async with world(tmp_path / "a") as here, world(tmp_path / "b") as there:
            both = await asyncio.gather(
                here.statuses("a", 2 * LIMIT), there.statuses("a", 2 * LIMIT)
            )
            assert both[0] + both[1] == {200: LIMIT, 429: 3 * LIMIT}

            redis.stop()
            assert await here.statuses("b", LIMIT) == {200: LIMIT}
            assert await here.statuses("b", LIMIT, "/closed") == {500: LIMIT}

            await redis.start()
            await eventually(lambda: here.get("c", "/closed"), lambda found: found.status == 200)
            await eventually(lambda: there.get("d", "/closed"), lambda found: found.status == 200)
            both = await asyncio.gather(
                here.statuses("e", 2 * LIMIT), there.statuses("e", 2 * LIMIT)
            )
            assert both[0] + both[1] == {200: LIMIT, 429: 3 * LIMIT}
    finally:
        redis.stop()


EXTERNAL = """
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: counter, namespace: shop}
    spec:
      hosts: [counter.example]
      ports: [{number: 8081, name: grpc, protocol: GRPC}]
      resolution: STATIC
      endpoints: [{address: 127.0.0.1, ports: {grpc: %d}}]
"""


class Counting:
    """Somebody else's rate limit service, with ideas of its own: every second one of ``b``."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self._server: grpc.aio.Server | None = None

    async def start(self, port: int = 0) -> int:
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        handler = grpc.unary_unary_rpc_method_handler(
            self._answer,
            request_deserializer=RateLimitRequest.FromString,
            response_serializer=RateLimitResponse.SerializeToString,
        )
        service = "envoy.service.ratelimit.v3.RateLimitService"
        handlers = grpc.method_handlers_generic_handler(service, {"ShouldRateLimit": handler})
        self._server.add_generic_rpc_handlers((handlers,))
        bound = self._server.add_insecure_port(f"127.0.0.1:{port}")
        await self._server.start()
        return bound

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)

    async def _answer(self, asked: Any, _: Any) -> RateLimitResponse:
        self.asked.append(asked)
        values = {entry.value for each in asked.descriptors for entry in each.entries}
        code = "OVER_LIMIT" if "b" in values and len(self.asked) % 2 == 0 else "OK"
        limit = {"requests_per_unit": 7, "unit": "MINUTE"}
        status = {"code": code, "current_limit": limit, "limit_remaining": 3}
        return RateLimitResponse(
            overall_code=code,
            statuses=[status],
            response_headers_to_add=[{"key": "x-told", "value": "by the counter"}],
        )


async def test_somebody_elses_service_is_asked_the_same_way(tmp_path: Path) -> None:
    counting = Counting()
    port = await counting.start()
    more = (
        ", xRateLimitHeaders: DraftVersion03, grpcService: {authority: counts, backendRef:"
        " {group: networking.istio.io, kind: ServiceEntry, name: counter, port: 8081}}"
    )
    try:
        async with world(tmp_path, more=more) as vendor:
            vendor.write("counter.yaml", EXTERNAL % port)
            told = await eventually(
                lambda: vendor.get("a"), lambda found: bool(found.header("x-told"))
            )
            asked = counting.asked[-1]
            assert (told.status, asked.domain) == (200, "vendor")
            assert pairs(asked.descriptors) == [[("x-client", "a")]]
            assert told.header("x-ratelimit-limit") == "7, 7;w=60"
            assert told.header("x-ratelimit-remaining") == "3"
            assert await vendor.statuses("b", 10) == {200: 5, 429: 5}
            assert vendor.instance.limits.pid == 0

            number = len(counting.asked)
            without = await vendor.to(vendor.gateways[0], PORT, host="vendor.example")
            assert answer(without).status == 200
            assert len(counting.asked) == number

            await counting.stop()
            assert await vendor.statuses("a", 4) == {200: 4}
            assert await vendor.statuses("a", 4, "/closed") == {500: 4}
            await counting.start(port)
            await eventually(lambda: vendor.get("a", "/closed"), lambda found: found.status == 200)
    finally:
        await counting.stop()


ENTRIES = "[{entries: [{type: Header, header: x-client}]}]"
EVERY_TYPE = """[{entries: [
            {type: Generic, generic: {key: tier, value: gold}},
            {type: Header, header: x-client},
            {type: Path}]},
          {entries: [{type: RemoteAddress}]}]"""


async def test_descriptors_of_every_type_are_told_and_change_live(tmp_path: Path) -> None:
    counting = Counting()
    port = await counting.start()
    more = (
        ", grpcService: {backendRef:"
        " {group: networking.istio.io, kind: ServiceEntry, name: counter, port: 8081}}"
    )
    try:
        async with world(tmp_path, more=more) as vendor:
            vendor.write("counter.yaml", EXTERNAL % port)
            await until(lambda: _asked_of(vendor, counting, number=1))
            assert pairs(counting.asked[-1].descriptors) == [[("x-client", "a")]]

            vendor.write("policies.yaml", policies(more).replace(ENTRIES, EVERY_TYPE))
            await until(lambda: _asked_of(vendor, counting, number=2))
            several, address = pairs(counting.asked[-1].descriptors)
            assert several[:2] == [("tier", "gold"), ("x-client", "a")]
            assert several[2][1] == "/list?page=2"
            assert [key for key, _ in address] == ["remote_address"]
            assert address[0][1].startswith("127.")
    finally:
        await counting.stop()


async def _asked_of(vendor: World, counting: Counting, *, number: int) -> bool:
    await vendor.get("a", "/list?page=2")
    return bool(counting.asked) and len(counting.asked[-1].descriptors) == number


def pairs(descriptors: Iterable[Any]) -> list[list[tuple[str, str]]]:
    return [[(entry.key, entry.value) for entry in each.entries] for each in descriptors]


async def test_limits_that_are_wrong_are_told_and_the_last_ones_hold(tmp_path: Path) -> None:
    async with world(tmp_path) as vendor:

        async def told(*codes: str) -> bool:
            return tuple(each.code for each in vendor.instance.problems()) == codes

        vendor.write("limits.yaml", LIMITS.replace("hour", "fortnight") % LIMIT)
        await until(lambda: told("SER1501"))
        assert await vendor.statuses("a", 2 * LIMIT) == {200: LIMIT, 429: LIMIT}

        vendor.write("limits.yaml", "")
        await until(lambda: told("SER1503", "SER1503"))

        async def unlimited() -> bool:
            return await vendor.statuses("a", 2 * LIMIT) == {200: 2 * LIMIT}

        await until(unlimited)


async def test_it_counts_on_while_serai_is_killed_and_is_taken_over(tmp_path: Path) -> None:
    place = Place()
    vendor, gateway = place.address(), place.address()
    folder, state = tmp_path / "manifests", tmp_path / "state"
    folder.mkdir()
    (folder / "shop.yaml").write_text(dedent(shop(vendor, (gateway,))))
    (folder / "limits.yaml").write_text(dedent(LIMITS % LIMIT))
    (folder / "policies.yaml").write_text(dedent(policies()))

    async def statuses(number: int) -> Counter[int]:
        asked = request("/closed", "vendor.example", x_client="a")
        way_in = Entry(connect=(gateway, PORT))
        found = await asyncio.gather(*(send(way_in, asked, SECONDS) for _ in range(number)))
        return Counter(answer(each).status for each in found)

    try:
        async with echo([workload(vendor, PORT, "vendor")]):
            async with running(folder, state) as first:
                probe = request("/closed", "vendor.example", x_client="probe")
                await eventually(
                    lambda: send(Entry(connect=(gateway, PORT)), probe, SECONDS),
                    lambda told: told.status == 200,
                )
                assert await statuses(10) == {200: 10}
                beside = counting(state)
                await kill(first)
                assert await statuses(5) == {200: 5}
            async with running(folder, state) as second:
                assert counting(state) == beside
                assert await statuses(LIMIT) == {200: LIMIT - 15, 429: 15}
                await kill(second)
            await stop_leftovers(state, drain_seconds=None)
            assert counting(state) == []
    finally:
        end_what_names(state)


def counting(state: Path) -> list[int]:
    """The rate limit services of an instance that run."""
    return [
        pid.number
        for pid, command in processes()
        if "ratelimit" in command and any(str(state) in part for part in command)
    ]
