"""Envoy refuses a route configuration, and it is found out for which object."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from serai.api.meta import Key
from serai.app.blame import guilty
from serai.app.refused import Refused
from serai.envoy.binary import EnvoyBinary, find_envoy
from serai.envoy.validate import refusal
from serai.ir.origin import Origin
from serai.proto.envoy import RouteConfiguration
from serai.xds.encode.body import resource
from serai.xds.events import Rejection
from serai.xds.resource import Resource, ResourceKey, ResourceType

pytestmark = pytest.mark.live

PROXY = Key("Gateway", "shop", "waypoint")
SERVICE = Origin(Key("ServiceEntry", "shop", "pay"))
GOOD, BAD = (Origin(Key("HTTPRoute", "shop", name), "spec.rules[0]") for name in ("good", "bad"))


@pytest.fixture
def binary() -> EnvoyBinary:
    found, problems = find_envoy()
    assert found is not None, problems
    return found


def configuration(*regexes: tuple[str, str]) -> Resource:
    routes = [
        {
            "name": f"shop/{name}/0/0",
            "match": {"safe_regex": {"regex": regex}},
            "route": {"cluster": "pay"},
        }
        for name, regex in regexes
    ]
    hosts = [{"name": "v", "domains": ["*"], "routes": routes}]
    body = RouteConfiguration(name="r", virtual_hosts=hosts)
    return resource(ResourceType.ROUTES, "r", body, (SERVICE, GOOD, BAD))


async def test_only_the_object_whose_part_is_refused_is_told(binary: EnvoyBinary) -> None:
    made = configuration(("good", "a+"), ("bad", "["))
    assert await guilty(binary, made.type, made.body, made.origins) == (BAD,)


async def test_where_no_part_is_refused_alone_all_are_told(binary: EnvoyBinary) -> None:
    made = configuration(("good", "a+"), ("bad", "b+"))
    assert await guilty(binary, made.type, made.body, made.origins) == made.origins


async def test_all_are_told_at_once_and_then_the_guilty_only(binary: EnvoyBinary) -> None:
    made = configuration(("good", "a+"), ("bad", "["))
    told: list[Mapping[ResourceKey, Any]] = []
    narrowed = asyncio.Event()

    def tell(proxy: Key) -> None:
        told.append(dict(refused.of(proxy)))
        if len(told) > 1:
            narrowed.set()

    refused = Refused(binary, lambda *_: made, tell)
    refused.change(
        PROXY.namespaced_name, {made.key: Rejection(made.version, "missing ]", made.origins)}
    )
    await asyncio.wait_for(narrowed.wait(), 10)
    assert [each[made.key].origins for each in told] == [made.origins, (BAD,)]
    refused.change(
        PROXY.namespaced_name, {made.key: Rejection(made.version, "missing ]", made.origins)}
    )
    assert told[-1][made.key].origins == (BAD,)
    refused.change(PROXY.namespaced_name, {})
    assert told[-1] == {}
    await refused.stop()


async def test_envoys_own_words(binary: EnvoyBinary) -> None:
    assert await refusal(binary, {}) == ""
    assert "has unknown fields" in await refusal(binary, {"nothing": 1})
