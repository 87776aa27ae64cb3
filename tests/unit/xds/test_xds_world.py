"""The world: changes, sharing, and what resources name."""

from __future__ import annotations

from typing import Any

import pytest

from serai.proto.envoy import FilterChain, Listener, RouteConfiguration
from serai.proto.pool import message, pack
from serai.xds.references import references
from serai.xds.resource import Resource, ResourceKey
from serai.xds.world import World
from unit.xds.speaker import (
    HCM,
    PROXY,
    C,
    E,
    F,
    L,
    R,
    changes,
    cluster,
    endpoints,
    listener,
    made,
    plain,
    routes,
    scope,
)


def test_a_proxy_nobody_spoke_of_is_unknown() -> None:
    assert World().resources(PROXY) is None


def test_a_proxy_may_have_nothing() -> None:
    world = World()
    assert world.apply({PROXY: {}}) == {PROXY: ()}
    assert world.resources(PROXY) is not None


def test_only_what_differs_counts_as_changed() -> None:
    world = World()
    world.apply(changes(plain("a"), plain("b")))
    again = changes(plain("a"), plain("b", "2"), plain("c"), removed=(plain("ghost").key,))
    assert world.apply(again) == {PROXY: (plain("b").key, plain("c").key)}


def test_removals_are_changes() -> None:
    world = World()
    world.apply(changes(plain("a")))
    assert world.apply(changes(removed=(plain("a").key,))) == {PROXY: (plain("a").key,)}
    resources = world.resources(PROXY)
    assert resources is not None
    assert not resources[C]


def test_new_origins_of_equal_bytes_are_taken_over_without_a_change() -> None:
    world = World()
    old = plain("a")
    new = Resource(C, "a", old.version, old.body)
    world.apply({PROXY: {old.key: old}})
    assert world.apply({PROXY: {new.key: new}}) == {PROXY: ()}
    resources = world.resources(PROXY)
    assert resources is not None
    assert resources[C]["a"].resource.origins == ()


def route(**action: Any) -> Resource:
    hosts = [{"name": "v", "routes": [{"route": action}]}]
    return made(R, "r", "1", RouteConfiguration(name="r", virtual_hosts=hosts))


EXT_AUTHZ = message("envoy.extensions.filters.http.ext_authz.v3.ExtAuthz")
EXT_AUTHZ_ROUTE = message("envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute")
TCP_PROXY = message("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy")


def chain(config: Any) -> dict[str, Any]:
    return {"name": "c", "filters": [{"name": "f", "typed_config": pack(config)}]}


def chains_by_name(*names: str) -> Any:
    string = message("google.protobuf.StringValue")
    actions = {
        name: {"action": {"name": name, "typed_config": pack(string(value=name))}} for name in names
    }
    tree = {"input": {"name": "port"}, "exact_match_map": {"map": actions}}
    return Listener(name="l", fcds_config={}, filter_chain_matcher={"matcher_tree": tree})


AUTHZ = EXT_AUTHZ(grpc_service={"envoy_grpc": {"cluster_name": "authz"}})
WEIGHTED = [{"name": "a", "weight": {"value": 1}}, {"name": "b", "weight": {"value": 1}}]


@pytest.mark.parametrize(
    ("resource", "named"),
    [
        (cluster("a"), [(E, "a")]),
        (plain("a"), []),
        (endpoints("a"), []),
        (scope("s", "r"), [(R, "r")]),
        (routes("r", "a", "b", "a"), [(C, "a"), (C, "b")]),
        (listener("l", "r"), [(R, "r")]),
        (route(weighted_clusters={"clusters": WEIGHTED}), [(C, "a"), (C, "b")]),
        (
            route(cluster="a", request_mirror_policies=[{"cluster": "m"}]),
            [(C, "a"), (C, "m")],
        ),
        (
            made(
                R,
                "r",
                "1",
                RouteConfiguration(
                    name="r",
                    typed_per_filter_config={
                        "x": pack(
                            EXT_AUTHZ_ROUTE(
                                check_settings={
                                    "grpc_service": {"envoy_grpc": {"cluster_name": "authz"}}
                                }
                            )
                        )
                    },
                ),
            ),
            [(C, "authz")],
        ),
        (
            made(
                L,
                "l",
                "1",
                Listener(
                    name="l",
                    filter_chains=[
                        chain(HCM(http_filters=[{"name": "x", "typed_config": pack(AUTHZ)}]))
                    ],
                ),
            ),
            [(C, "authz")],
        ),
        (made(F, "c", "1", FilterChain(**chain(TCP_PROXY(cluster="t")))), [(C, "t")]),
        (
            made(
                F,
                "c",
                "1",
                FilterChain(**chain(TCP_PROXY(weighted_clusters={"clusters": [{"name": "t"}]}))),
            ),
            [(C, "t")],
        ),
        (made(L, "l", "1", chains_by_name("one", "two")), [(F, "one"), (F, "two")]),
        (Resource(R, "r", "1", b"\xff\xff not a message"), []),
    ],
)
def test_what_a_resource_names(resource: Resource, named: list[tuple[Any, str]]) -> None:
    assert references(resource) == tuple(ResourceKey(*key) for key in named)
