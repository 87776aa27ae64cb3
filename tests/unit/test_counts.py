"""Work is proportional to what changed: what is sent for each kind of change, and what it costs.

Counts, not times: what is sent by name, how many rows are computed, and how many functions are
called for it in all.  None of it may depend on how many services there are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from property.counted import (
    SHAPES,
    at_edge,
    of,
    of_all,
    of_listeners,
    of_listeners_each,
    of_requests,
    of_service,
    route,
    secret,
    service,
    vip,
    world,
)
from serai.api.meta import Key, Object
from serai.app.core import Committed, Core
from serai.incremental import Derived
from serai.model.settings import Settings
from serai.status.values import ConditionsStatus, ServiceEntryStatus
from serai.xds.encode import splice
from serai.xds.encode.route import encode_routes
from serai.xds.references import references
from serai.xds.snapshot import SnapshotKey

FEW, MANY = 20, 200
MOST_ROWS = 50
"""Of the longest way: a new service, from its object to its five resources and its status."""
MOST_TO_JOIN = 25
"""Calls for each host that stays as it is."""
MOST_MORE = 1.1
"""What is sorted is compared a few times more or less, as the order of sets has it."""

MOST_ROWS_OF_AN_ENDPOINT = 12

PAIR = ("waypoint", "edge")
P4, W6 = "kube_shop_p4_80", "istio-se_shop_w6_w6.example_80"
W6_ROUTES = "waypoint ROUTES http_serviceentry_80_w6_shop"
P4_ROUTES = "waypoint ROUTES http_service_80_p4_shop"
EDGE_ROUTES = "edge ROUTES http_gateway_20080_edge_shop"
TLS_ROUTES = "edge ROUTES tls_gateway_20443_https_edge_shop"


class Row(NamedTuple):
    """A kind of change."""

    name: str
    changed: tuple[Object, ...]
    sent: frozenset[str]
    """``gateway TYPE name`` of each resource; after a minus, of one that goes."""
    removed: tuple[Key, ...] = ()
    table: bool = False
    """Whether what is sent is a table of all routes of a listener, which is as long as it is."""
    every: bool = False
    """Whether each route in that table changes."""


class Cost(NamedTuple):
    """What came of a change, and what was done for it."""

    sent: frozenset[str]
    rows: int
    calls: int


def row(name: str, changed: Iterable[Object], *sent: str, **more: Any) -> Row:
    return Row(name, tuple(changed), frozenset(sent), **more)


def policy(name: str, kind: str) -> tuple[Object, ...]:
    return tuple(each for each in of_service(name, "second") if each.key.kind == kind)


def whole(cluster: str, routes: str, address: str, sign: str = "") -> tuple[str, ...]:
    """Everything that the waypoint has of a service."""
    named = (
        f"CLUSTER {cluster}",
        f"ENDPOINTS {cluster}",
        f"SCOPE {address}~80",
        f"ROUTES {routes}",
    )
    return tuple(f"{sign}waypoint {each}" for each in named)


def new(number: int) -> tuple[Object, ...]:
    return tuple(service(number, vip(number, 3)))


def comes_and_goes() -> Iterator[Row]:
    entry = "istio-se_shop_i1003_i1003.example_80"
    for number, kind, cluster, routes in (
        (1001, "Service", "kube_shop_s1001_80", "http_service_80_s1001_shop"),
        (1003, "ServiceEntry", entry, "http_serviceentry_80_i1003_shop"),
    ):
        objects = new(number)
        yield row(f"{kind} added", objects, *whole(cluster, routes, vip(number)))
        gone = whole(cluster, routes, vip(number), "-")
        keys = tuple(each.key for each in objects)
        yield row(f"{kind} removed", (), *gone, removed=keys)


def of_policies() -> Iterator[Row]:
    cluster = f"waypoint CLUSTER {W6}"
    for kind in ("TrafficPolicy", "AuthorizationPolicy"):
        yield row(f"{kind} of a service", policy("w6", kind), W6_ROUTES)
        sent = (P4_ROUTES, EDGE_ROUTES)
        yield row(f"{kind} of a service behind the edge", policy("p4", kind), *sent, table=True)
    tokens = "waypoint EXTENSION serai.tokens"
    yield row("RequestAuthentication", policy("w6", "RequestAuthentication"), W6_ROUTES, tokens)
    for kind in ("DestinationRule", "BackendConfigPolicy"):
        yield row(kind, policy("w6", kind), cluster)
    at_the_edge = (of_requests("edge", "second"),)
    both = (EDGE_ROUTES, TLS_ROUTES)
    yield row("TrafficPolicy of a Gateway", at_the_edge, *both, table=True, every=True)
    chain_of_tls = "edge FILTER_CHAIN tls_gateway_20443_https_edge_shop"
    listener = ("edge LISTENER listener~20080", chain_of_tls)
    yield row("ListenerPolicy", (of_listeners("second"),), *listener)


def changes() -> Iterator[Row]:
    """In this order, each upon what the one before left."""
    behind_both = (f"{gateway} ENDPOINTS {P4}" for gateway in PAIR)
    yield row("Pod of a selector", service(4, "10.9.0.1"), *behind_both)
    yield row("EndpointSlice", service(5, "10.9.0.1"), "waypoint ENDPOINTS kube_shop_s5_80")
    yield row("WorkloadEntry", service(6, "10.9.0.1"), f"waypoint ENDPOINTS {W6}")
    inline = "waypoint ENDPOINTS istio-se_shop_i7_i7.example_80"
    yield row("endpoint in a ServiceEntry", service(7, "10.9.0.1"), inline)
    yield row("the same once more", chain(*(service(n, "10.9.0.1") for n in (4, 5, 6, 7))))
    yield row("route of a Service", (route("p4", "second"),), P4_ROUTES)
    yield row("route of a ServiceEntry", (route("w6", "second"),), W6_ROUTES)
    yield row("route of a Gateway", (at_edge("p4", "second"),), EDGE_ROUTES, table=True)
    yield from of_policies()
    yield from comes_and_goes()
    waypoint = {"istio.io/use-waypoint": "waypoint"}
    yield row("label of a Namespace", (of("Namespace", "shop", {}, tier="x", **waypoint),))
    yield row("Secret rotated", (secret("second"),), "edge SECRET certificate_shown_shop")


ROWS = tuple(changes())


@cache
def costs(services: int) -> dict[str, Cost]:
    """What each change comes to in a world of so many services."""
    splice.forget()  # what an earlier world has taken apart would spare this one the work
    core = Core(Settings())
    core.apply(world(services))
    assert not core.pipeline.problems
    found = {each.name: cost(core, each) for each in ROWS}
    assert not core.pipeline.graph.failures
    return found


def cost(core: Core, change: Row) -> Cost:
    nodes = [node for node in core.pipeline.graph.nodes if isinstance(node, Derived)]
    before = sum(node.calls for node in nodes)
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        committed = core.apply(change.changed, change.removed)
    finally:
        sys.setprofile(None)
    return Cost(sent(committed), sum(node.calls for node in nodes) - before, calls)


def sent(committed: Committed) -> frozenset[str]:
    return frozenset(
        f"{'' if resource else '-'}{proxy.partition('/')[2]} {key.type.name} {key.name}"
        for proxy, resources in committed.resources.items()
        for key, resource in resources.items()
    )


by_row = pytest.mark.parametrize("change", ROWS, ids=lambda each: each.name.replace(" ", "-"))


@by_row
def test_what_is_sent_is_what_changed(change: Row) -> None:
    assert costs(FEW)[change.name].sent == change.sent
    assert costs(MANY)[change.name].sent == change.sent


@by_row
def test_the_rows_computed_do_not_grow_with_the_services(change: Row) -> None:
    few, many = costs(FEW)[change.name].rows, costs(MANY)[change.name].rows
    if change.every:
        # Of each host what is answered, its bytes, and what it asks of other collections.
        assert many - few <= 4 * (MANY - FEW) / SHAPES
    else:
        assert few == many <= MOST_ROWS


@by_row
def test_the_functions_called_do_not_grow_with_the_services(change: Row) -> None:
    few, many = costs(FEW)[change.name].calls, costs(MANY)[change.name].calls
    if change.table and not change.every:
        # Each host's bytes are put beside those of the others: reading and joining, no more.
        assert many - few <= MOST_TO_JOIN * (MANY - FEW) / SHAPES
    elif not change.every:
        assert many <= few * MOST_MORE


def test_an_endpoint_costs_the_same_wherever_it_is_written() -> None:
    kinds = ("EndpointSlice", "WorkloadEntry", "endpoint in a ServiceEntry")
    found = [costs(FEW)[kind] for kind in kinds]
    assert max(each.rows for each in found) <= MOST_ROWS_OF_AN_ENDPOINT
    assert max(each.calls for each in found) < 2 * min(each.calls for each in found)


def test_a_generation_alone_is_told_and_changes_nothing_else() -> None:
    core = Core(Settings())
    core.apply(world(FEW))
    (entry,) = service(7, vip(7, 2))
    newer = replace(entry, metadata=replace(entry.metadata, generation=2))
    found = cost(core, row("the same, written once more", [newer]))
    assert not found.sent
    assert found.rows <= MOST_ROWS_OF_AN_ENDPOINT
    status = core.pipeline.statuses.row(entry.key)
    assert isinstance(status, ConditionsStatus | ServiceEntryStatus)
    assert {each.observed_generation for each in status.conditions} == {2}


def test_a_table_put_together_from_its_hosts_is_the_table_as_a_whole() -> None:
    core = Core(Settings())
    core.apply(world(FEW))
    found = dict(core.pipeline.translated.routed.of_gateways.items())
    assert max(len(each.virtual_hosts) for each in found.values()) == FEW // SHAPES + 1
    for key, routes in found.items():
        whole = encode_routes(routes, core.pipeline.settings.trust_domains)
        joined = core.pipeline.snapshot.row(SnapshotKey(key.proxy, *whole.key))
        assert joined is not None
        assert (joined.body, joined.version, joined.origins) == (
            whole.body,
            whole.version,
            whole.origins,
        )
        assert references(joined) == references(whole)


def test_a_policy_of_the_waypoint_is_in_the_routes_of_each_of_its_services() -> None:
    change = row("TrafficPolicy of the waypoint", (of_all("waypoint"),))
    for services in (FEW, MANY):
        core = Core(Settings())
        core.apply(world(services))
        found = cost(core, change)
        assert len(found.sent) == services
        assert {each.rpartition(" ")[0] for each in found.sent} == {"waypoint ROUTES"}
        # The route configuration, what it requires of tokens, its bytes; the rest is the policy.
        assert 3 * services <= found.rows <= 3 * services + MOST_ROWS


@cache
def cost_of_a_listener(listeners: int) -> Cost:
    """What it takes to lose the certificate of one of so many listeners, each with a route."""
    core = Core(Settings())
    core.apply(of_listeners_each(listeners))
    assert not core.pipeline.problems
    return cost(core, row("Secret gone", (), removed=(Key("Secret", "shop", "own"),)))


def test_what_becomes_of_a_listener_is_of_the_routes_that_name_it_only() -> None:
    few, many = cost_of_a_listener(FEW), cost_of_a_listener(MANY)
    assert few.sent == many.sent
    assert few.rows == many.rows <= MOST_ROWS
