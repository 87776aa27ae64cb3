"""Many of one kind at one place: one more, or another, costs at most what there are.

Some things are as long as what is in them: a table of routes, a list of endpoints, the status of a
Gateway.  Nothing may be longer, as it is where each of them is compared with each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import pytest

from property.bodies import GATEWAY_API, Raw
from property.counted import gateway, of, reference, secret, service, vip
from serai.api.meta import Object
from serai.app.core import Core
from serai.model.settings import Settings

SIZES = (20, 60, 180)
STEEPER = 1.3
"""One of many may call this many times as many functions for each of the others as one of few."""
FLAT = 4.0
"""Calls for each of the others that are nothing to speak of."""


class Growth(NamedTuple):
    """Many of one kind, and one that is added to them or becomes another."""

    name: str
    many: Callable[[int], Iterable[Object]]
    changed: Callable[[int], Iterable[Object]]
    each: float
    """Calls for each of the others, at most."""


def space() -> Iterator[Object]:
    yield of("Namespace", "shop", {}, **{"istio.io/use-waypoint": "waypoint"})
    yield gateway("waypoint")
    yield from service(0, vip(0, 2))


def policy(kind: str, said: Raw) -> Callable[[int], Object]:
    def made(number: int) -> Object:
        return of(kind, f"policy-{number}", {"spec": {"targetRefs": [reference("p0")], **said}})

    return made


def requests(said: str) -> Callable[[int], Object]:
    modifiers = {"request": {"set": [{"name": "x-said", "value": said}]}}
    return policy("TrafficPolicy", {"headerModifiers": modifiers})


def callers(said: str) -> Callable[[int], Object]:
    who = [{"from": [{"source": {"namespaces": [said]}}]}]
    return policy("AuthorizationPolicy", {"action": "DENY", "rules": who})


def https(listeners: int) -> Object:
    """An edge whose listeners are all on one port, none of them for the hosts of another."""
    written = [
        {
            "name": f"l{number}",
            "port": 20443,
            "protocol": "HTTPS",
            "hostname": f"l{number}.example",
            "tls": {"certificateRefs": [{"name": "shown"}]},
        }
        for number in range(listeners)
    ]
    return of("Gateway", "edge", {"spec": {"gatewayClassName": "serai", "listeners": written}})


def of_edge(number: int, said: str = "first") -> Object:
    """A ListenerSet, with a host of its own on the edge's port."""
    parent = {"name": "edge", "group": GATEWAY_API, "kind": "Gateway"}
    listener = {
        "name": "a",
        "port": 20080,
        "protocol": "HTTP",
        "hostname": f"{said}{number}.example",
    }
    return of(
        "ListenerSet", f"set{number}", {"spec": {"parentRef": parent, "listeners": [listener]}}
    )


def shared_edge(sets: int) -> Iterator[Object]:
    yield from space()
    own = [{"name": "http", "port": 20080, "protocol": "HTTP"}]
    allowed: Raw = {"namespaces": {"from": "All"}}
    spec: Raw = {"gatewayClassName": "serai", "allowedListeners": allowed, "listeners": own}
    yield of("Gateway", "edge", {"spec": spec})
    yield from map(of_edge, range(sets))


def route(number: int, said: str, *, parent: str, where: Raw) -> Object:
    headers = {"set": [{"name": "x-said", "value": said}]}
    filters = [{"type": "ResponseHeaderModifier", "responseHeaderModifier": headers}]
    rule = {"filters": filters, "backendRefs": [{**reference("p0"), "port": 80}]}
    path = {"type": "PathPrefix", "value": f"/r{number}"}
    spec = {"parentRefs": [reference(parent)], "rules": [{**rule, "matches": [{"path": path}]}]}
    return of("HTTPRoute", f"route{number}", {"spec": {**spec, **where}})


def of_service(number: int, said: str = "first") -> Object:
    return route(number, said, parent="p0", where={})


def at_edge(number: int, said: str = "first") -> Object:
    return route(number, said, parent="edge", where={"hostnames": [f"r{number}.example"]})


def slices(endpoints: int, last: str) -> Object:
    """An EndpointSlice of the service."""
    addresses = [f"10.9.{number // 250}.{number % 250 + 1}" for number in range(endpoints)]
    listed = [{"addresses": [each]} for each in (*addresses[:-1], last)]
    body: Raw = {"addressType": "IPv4", "endpoints": listed}
    body["ports"] = [{"name": "http", "port": 8080}]
    return of("EndpointSlice", "s1", body, **{"kubernetes.io/service-name": "s1"})


def namespaces(count: int) -> Iterator[Object]:
    return (of("Namespace", f"space{number}", {}) for number in range(count))


def beside(*more: Iterable[Object]) -> Iterator[Object]:
    yield from space()
    for each in more:
        yield from each


GROWTHS = (
    Growth(
        "TrafficPolicies of one service",
        lambda many: beside(map(requests("first"), range(many))),
        lambda many: [requests("second")(many)],
        150,
    ),
    Growth(
        "AuthorizationPolicies of one service",
        lambda many: beside(map(callers("first"), range(many))),
        lambda _: [callers("second")(3)],
        1_100,
    ),
    Growth(
        "HTTPS listeners of one port",
        lambda many: beside([secret("first"), https(many)]),
        lambda many: [https(many + 1)],
        1_000,
    ),
    Growth("ListenerSets of one Gateway", shared_edge, lambda many: [of_edge(many)], 350),
    Growth("a ListenerSet of many", shared_edge, lambda _: [of_edge(3, "second")], 350),
    Growth(
        "routes of one service",
        lambda many: beside(map(of_service, range(many))),
        lambda _: [of_service(3, "second")],
        250,
    ),
    Growth(
        "routes of one listener",
        lambda many: beside([gateway("edge"), secret("first")], map(at_edge, range(many))),
        lambda _: [at_edge(3, "second")],
        60,
    ),
    Growth(
        "endpoints of one service",
        lambda many: beside([next(service(1, vip(1)))], [slices(many, "10.8.0.1")]),
        lambda many: [slices(many, "10.8.0.2")],
        50,
    ),
    Growth(
        "Namespaces",
        lambda many: beside(namespaces(many)),
        lambda many: [of("Namespace", f"space{many}", {}), of("Namespace", "space3", {}, x="y")],
        0,
    ),
)


def calls(growth: Growth, many: int) -> int:
    """What one change calls among so many."""
    core = Core(Settings())
    core.apply(growth.many(many))
    changed = list(growth.changed(many))
    found = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal found
        found += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        core.apply(changed)
    finally:
        sys.setprofile(None)
    assert not core.pipeline.graph.failures
    return found


@pytest.mark.parametrize("growth", GROWTHS, ids=lambda each: each.name.replace(" ", "-"))
def test_one_of_many_costs_no_more_than_there_are(growth: Growth) -> None:
    calls(growth, SIZES[0])  # what is made once in a process
    few, some, many = (calls(growth, size) for size in SIZES)
    first, then = (some - few) / (SIZES[1] - SIZES[0]), (many - some) / (SIZES[2] - SIZES[1])
    assert then <= max(first * STEEPER, FLAT)
    assert then <= max(growth.each, FLAT)
