"""Worlds of N services as manifests: every other one a ServiceEntry, each with ten endpoints.

Every third service has a route of its own, every tenth a policy.  Manifests come as an API server
tells them (JSON), or as people write them (YAML), in which each is the text of another one with
its name and its address replaced: so that a world of 50,000 is written in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

Manifest = dict[str, Any]

NAMESPACE = "bench"
WAYPOINT = "bench/waypoint"
EDGE = "bench/edge"
PORT = 8000
"""Of every service."""
ENDPOINTS = 10
WITH_ROUTE, WITH_POLICY = 3, 10
"""Every how manieth service has one."""
_NAME, _VIP = "the-name", "the-vip"


class Ports(NamedTuple):
    """Where things are on this machine."""

    endpoints: int
    """Every endpoint's."""
    mesh: int
    """Where the waypoint takes the PROXY protocol."""
    edge: int = 0
    """Where the edge gateway listens, if there is one."""


def vip(number: int) -> str:
    """The VIP of a service."""
    return f"240.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def addresses(group: int) -> tuple[str, ...]:
    """The ten endpoints of a group (1 or 2); an answer shows of which group it is."""
    return tuple(f"127.99.{group}.{number + 1}" for number in range(ENDPOINTS))


def name(number: int) -> str:
    """The name of a service."""
    return f"s{number}"


def kind(number: int) -> str:
    """What a service is: a Service or a ServiceEntry."""
    return "ServiceEntry" if number % 2 else "Service"


def frame(ports: Ports) -> list[Manifest]:
    """The namespace and its waypoint, and the edge gateway if it has a port."""
    found = [
        _manifest("Namespace", NAMESPACE, {}),
        _gateway("waypoint", "serai-waypoint", ports.mesh, "istio.io/PROXY"),
    ]
    found[0]["metadata"] = {"name": NAMESPACE, "labels": {"istio.io/use-waypoint": "waypoint"}}
    if ports.edge:
        found.append(_gateway("edge", "serai", ports.edge, "HTTP"))
    return found


def service(number: int, port: int, group: int = 1) -> list[Manifest]:
    """A Service with its EndpointSlice, or a ServiceEntry with inline endpoints."""
    if number % 2:
        return [_service_entry(name(number), vip(number), port, group)]
    return [_service(name(number), vip(number), port), endpoints_of(number, port, group)]


def endpoints_of(number: int, port: int, group: int) -> Manifest:
    """The object that holds the endpoints of a service."""
    if number % 2:
        return _service_entry(name(number), vip(number), port, group)
    return _slice(name(number), port, group)


def route(number: int, said: str) -> Manifest:
    """A route of a service; answers show what it says in `x-route`."""
    return _route(name(number), kind(number), said)


def policy(number: int, said: str) -> Manifest:
    """A TrafficPolicy of a service; answers show what it says in `x-policy`."""
    return _policy(name(number), kind(number), said)


def edge_route(number: int) -> Manifest:
    """A route of the edge gateway: a host of its own, sent to a service."""
    backend = {"name": name(0), "port": PORT}
    spec = {
        "parentRefs": [{"name": "edge"}],
        "hostnames": [f"r{number}.example.com"],
        "rules": [{"backendRefs": [backend]}],
    }
    return _manifest("HTTPRoute", f"edge-{number}", {"spec": spec})


def world(services: int, ports: Ports) -> Iterator[Manifest]:
    """Everything, as an API server would list it."""
    yield from frame(ports)
    for number in range(services):
        yield from of_service(number, ports.endpoints)


def of_service(number: int, port: int) -> Iterator[Manifest]:
    """A service with the route and the policy that it has from the start."""
    yield from service(number, port)
    if number % WITH_ROUTE == 0:
        yield route(number, "first")
    if number % WITH_POLICY == 0:
        yield policy(number, "first")


def write(folder: Path, services: int, ports: Ports) -> int:
    """Write it as YAML, a file for each service; the number of documents."""
    (folder / "frame.yaml").write_text(_yaml(frame(ports)))
    documents = len(frame(ports))
    for number in range(services):
        text = text_of(number, ports)
        (folder / f"{name(number)}.yaml").write_text(text)
        documents += text.count("\n---\n") + 1
    return documents


def text_of(number: int, ports: Ports) -> str:
    """A service as YAML, and what is attached to it."""
    shape = _text(number % 2, number % WITH_ROUTE == 0, number % WITH_POLICY == 0, ports)
    return shape.replace(_NAME, name(number)).replace(_VIP, vip(number))


@cache
def _text(odd: int, with_route: bool, with_policy: bool, ports: Ports) -> str:  # noqa: FBT001
    port = ports.endpoints
    if odd:
        found = [_service_entry(_NAME, _VIP, port, 1)]
    else:
        found = [_service(_NAME, _VIP, port), _slice(_NAME, port, 1)]
    if with_route:
        found.append(_route(_NAME, kind(odd), "first"))
    if with_policy:
        found.append(_policy(_NAME, kind(odd), "first"))
    return _yaml(found)


def _yaml(manifests: list[Manifest]) -> str:
    return yaml.safe_dump_all(manifests, sort_keys=False)


def encoded(manifest: Manifest) -> bytes:
    """As an API server tells it."""
    return msgspec.json.encode(manifest)


_API_VERSIONS = {
    "Namespace": "v1",
    "Service": "v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "Gateway": "gateway.networking.k8s.io/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "ServiceEntry": "networking.istio.io/v1",
    "TrafficPolicy": "gateway.kgateway.dev/v1alpha1",
}


def _manifest(of_kind: str, named: str, body: Manifest) -> Manifest:
    metadata = {"name": named, "namespace": NAMESPACE}
    return {"apiVersion": _API_VERSIONS[of_kind], "kind": of_kind, "metadata": metadata, **body}


def _gateway(named: str, class_name: str, port: int, protocol: str) -> Manifest:
    listeners = [{"name": "any", "port": port, "protocol": protocol}]
    body = {"spec": {"gatewayClassName": class_name, "listeners": listeners}}
    return _manifest("Gateway", named, body)


def _service(named: str, address: str, port: int) -> Manifest:
    ports = [{"name": "http", "port": PORT, "targetPort": port}]
    return _manifest("Service", named, {"spec": {"clusterIP": address, "ports": ports}})


def _slice(named: str, port: int, group: int) -> Manifest:
    body = {
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]} for address in addresses(group)],
        "ports": [{"name": "http", "port": port}],
    }
    found = _manifest("EndpointSlice", f"{named}-1", body)
    found["metadata"]["labels"] = {"kubernetes.io/service-name": named}
    return found


def _service_entry(named: str, address: str, port: int, group: int) -> Manifest:
    spec = {
        "hosts": [f"{named}.example.com"],
        "addresses": [address],
        "ports": [{"number": PORT, "name": "http", "protocol": "HTTP", "targetPort": port}],
        "resolution": "STATIC",
        "endpoints": [{"address": each} for each in addresses(group)],
    }
    return _manifest("ServiceEntry", named, {"spec": spec})


def _reference(named: str, of_kind: str) -> Manifest:
    group = "networking.istio.io" if of_kind == "ServiceEntry" else ""
    return {"group": group, "kind": of_kind, "name": named}


def _route(named: str, of_kind: str, said: str) -> Manifest:
    target = _reference(named, of_kind)
    shown = {"set": [{"name": "x-route", "value": said}]}
    rule = {
        "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": shown}],
        "backendRefs": [{**target, "port": PORT}],
    }
    return _manifest("HTTPRoute", named, {"spec": {"parentRefs": [target], "rules": [rule]}})


def _policy(named: str, of_kind: str, said: str) -> Manifest:
    shown = {"response": {"set": [{"name": "x-policy", "value": said}]}}
    spec = {"targetRefs": [_reference(named, of_kind)], "headerModifiers": shown}
    return _manifest("TrafficPolicy", named, {"spec": spec})
