"""The shape given to Envoy: what a change touches, and what it leaves alone."""

from __future__ import annotations

import msgspec
import pytest

from serai.api.gateway import ParentReference
from serai.api.httproute import HTTPRoute, HTTPRouteRule, HTTPRouteSpec
from serai.api.meta import ObjectMeta
from serai.app.core import Core
from serai.xds.resource import ResourceType
from unit.touching import captured, entry, touched


@pytest.fixture
def core() -> Core:
    return captured()


def route(name: str) -> HTTPRoute:
    parent = ParentReference("waypoint")
    return HTTPRoute(ObjectMeta(name, "shop"), HTTPRouteSpec((parent,), rules=(HTTPRouteRule(),)))


def test_an_http_service_that_comes_touches_no_listener(core: Core) -> None:
    assert touched(core, entry("two", "10.9.0.3")) == {
        ResourceType.CLUSTER: ["istio-se_shop_two_two.example_80"],
        ResourceType.ENDPOINTS: ["istio-se_shop_two_two.example_80"],
        ResourceType.SCOPE: ["10.9.0.3~80"],
        ResourceType.ROUTES: ["http_serviceentry_80_two_shop"],
    }


def test_a_route_touches_route_configurations_only(core: Core) -> None:
    assert set(touched(core, route("all"))) <= {
        ResourceType.ROUTES,
        ResourceType.CLUSTER,
        ResourceType.ENDPOINTS,
    }


def test_an_endpoint_touches_its_load_assignment_only(core: Core) -> None:
    assert touched(core, entry("one", "10.9.0.1", endpoint="10.0.0.2")) == {
        ResourceType.ENDPOINTS: ["istio-se_shop_one_one.example_80"]
    }


def test_a_tcp_service_that_comes_leaves_the_chains_of_others_alone(core: Core) -> None:
    assert touched(core, entry("log", "10.9.0.4", "TCP")) == {
        ResourceType.CLUSTER: ["istio-se_shop_log_log.example_80"],
        ResourceType.ENDPOINTS: ["istio-se_shop_log_log.example_80"],
        ResourceType.LISTENER: ["proxy_protocol_inbound"],
        ResourceType.FILTER_CHAIN: ["tcp_serviceentry_80_log_shop"],
    }


def test_the_same_in_other_words_touches_nothing(core: Core) -> None:
    same = entry("one", "10.9.0.1")
    metadata = msgspec.structs.replace(same.metadata, annotations={"note": "x"})
    assert touched(core, msgspec.structs.replace(same, metadata=metadata)) == {}
