"""A world of N services, each with everything about it that can change."""

from __future__ import annotations

from collections.abc import Iterator

from casekit.certificates import made
from property.bodies import GATEWAY_API, ISTIO, Raw
from property.worlds import built
from serai.api.meta import Key, Object

SHAPES = 4
"""A Service by its selector, one by EndpointSlices, a ServiceEntry by workloads, one inline."""

_KEYS = (
    '{"keys": [{"kty": "OKP", "crv": "Ed25519",'
    ' "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'
)


def world(services: int) -> Iterator[Object]:
    """A waypoint and an edge gateway; N services with a route and policies of every family each.

    The edge has routes to every fourth of them.
    """
    yield of("Namespace", "shop", {}, **{"istio.io/use-waypoint": "waypoint"})
    yield of("Namespace", "aside", {})
    yield gateway("waypoint")
    yield gateway("edge")
    yield secret("first")
    yield of_listeners("first")
    yield of_requests("edge", "first")
    for number in range(services):
        yield from service(number, vip(number, 2))
        yield from of_service(name_of(number), "first")
        yield route(name_of(number), "first")
        if number % SHAPES == 0:
            yield at_edge(name_of(number), "first")


def of(kind: str, name: str, body: Raw, namespace: str = "shop", **labels: str) -> Object:
    """An object, in the namespace that uses the waypoint."""
    key = Key(kind, "" if kind == "Namespace" else namespace, name)
    return built(key, body, {"labels": labels})


def gateway(name: str) -> Object:
    """The waypoint; or the edge, with a listener in the clear and one with a certificate."""
    if name == "waypoint":
        return of("Gateway", name, {"spec": {"gatewayClassName": "serai-waypoint"}})
    tls = {"certificateRefs": [{"name": "shown"}]}
    listeners: list[Raw] = [
        {"name": "http", "port": 20080, "protocol": "HTTP"},
        {"name": "https", "port": 20443, "protocol": "HTTPS", "tls": tls},
    ]
    return of("Gateway", name, {"spec": {"gatewayClassName": "serai", "listeners": listeners}})


def secret(host: str, name: str = "shown") -> Object:
    """What the edge shows: for each host another certificate."""
    return made({f"shop/{name}": [f"{host}.example"]})[0]


def of_listeners_each(listeners: int) -> Iterator[Object]:
    """An edge of N listeners with a route each; the first shows a certificate of its own."""
    yield of("Namespace", "shop", {})
    yield secret("first")
    yield secret("own", "own")
    written: list[Raw] = []
    for number in range(listeners):
        yield from service(4 * number, vip(4 * number, 2))
        tls = {"certificateRefs": [{"name": "shown" if number else "own"}]}
        host = {"hostname": f"l{number}.edge.example", "tls": tls}
        written.append({"name": f"l{number}", "port": 20443, "protocol": "HTTPS", **host})
        name = name_of(4 * number)
        parent = {**reference("edge"), "sectionName": f"l{number}"}
        spec = {"parentRefs": [parent], "rules": [_rule(name, "first")]}
        yield of("HTTPRoute", f"edge-{name}", {"spec": spec})
    edge: Raw = {"gatewayClassName": "serai", "listeners": written}
    yield of("Gateway", "edge", {"spec": edge})


def name_of(number: int) -> str:
    """The name of a service: its shape and its number."""
    return f"{'pswi'[number % SHAPES]}{number}"


def vip(number: int, block: int = 1) -> str:
    """The address of a service; in another block, that of its endpoint."""
    return f"10.{block}.{number // 250}.{number % 250 + 1}"


def service(number: int, endpoint: str) -> Iterator[Object]:
    """A service, and what has its endpoint where it has not itself."""
    name = name_of(number)
    match name[0]:
        case "p":
            yield _service(number, {"selector": {"app": name}})
            yield of("Pod", name, {"status": {"podIP": endpoint}}, app=name)
        case "s":
            yield _service(number, {})
            body: Raw = {"addressType": "IPv4", "endpoints": [{"addresses": [endpoint]}]}
            body["ports"] = [{"name": "http", "port": 8080}]
            yield of("EndpointSlice", name, body, **{"kubernetes.io/service-name": name})
        case "w":
            yield _entry(number, {"workloadSelector": {"labels": {"app": name}}})
            spec = {"address": endpoint, "labels": {"app": name}}
            yield of("WorkloadEntry", name, {"spec": spec})
        case _:
            yield _entry(number, {"endpoints": [{"address": endpoint}]})


def _service(number: int, more: Raw) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    spec = {"clusterIP": vip(number), "ports": ports, **more}
    return of("Service", name_of(number), {"spec": spec})


def _entry(number: int, more: Raw) -> Object:
    name = name_of(number)
    spec = {
        "hosts": [f"{name}.example"],
        "addresses": [vip(number)],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 8080}],
        "resolution": "STATIC",
        "location": "MESH_INTERNAL",
        **more,
    }
    return of("ServiceEntry", name, {"spec": spec})


def reference(name: str) -> Raw:
    """A service, the waypoint or the edge, as targetRefs and parentRefs name it."""
    if name in {"waypoint", "edge"}:
        return {"group": GATEWAY_API, "kind": "Gateway", "name": name}
    if name[0] in "ps":
        return {"group": "", "kind": "Service", "name": name}
    return {"group": ISTIO, "kind": "ServiceEntry", "name": name}


def route(name: str, said: str) -> Object:
    """A route of a service's own port."""
    spec = {"parentRefs": [reference(name)], "rules": [_rule(name, said)]}
    return of("HTTPRoute", name, {"spec": spec})


def at_edge(name: str, said: str) -> Object:
    """A route from the edge to a service."""
    parent = {**reference("edge"), "sectionName": "http"}
    spec: Raw = {"parentRefs": [parent], "hostnames": [f"{name}.edge.example"]}
    return of("HTTPRoute", f"edge-{name}", {"spec": {**spec, "rules": [_rule(name, said)]}})


def _rule(name: str, said: str) -> Raw:
    headers = {"set": [{"name": "x-said", "value": said}]}
    filters = [{"type": "ResponseHeaderModifier", "responseHeaderModifier": headers}]
    return {"filters": filters, "backendRefs": [{**reference(name), "port": 80}]}


def of_requests(target: str, said: str) -> Object:
    """A TrafficPolicy."""
    modifiers = {"request": {"set": [{"name": "x-policy", "value": said}]}}
    return _policy("TrafficPolicy", target, {"headerModifiers": modifiers})


def of_all(target: str) -> Object:
    """Another TrafficPolicy, of what no policy of a service says anything about."""
    return _policy("TrafficPolicy", target, {"timeouts": {"request": "5s"}})


def of_listeners(said: str) -> Object:
    """The ListenerPolicy of the edge."""
    return _policy("ListenerPolicy", "edge", {"default": {"httpSettings": {"serverName": said}}})


def of_service(name: str, said: str) -> Iterator[Object]:
    """One policy of every family that a service can have."""
    hosts = {"p": "shop.svc.cluster.local", "s": "shop.svc.cluster.local"}
    yield of_requests(name, said)
    who = [{"from": [{"source": {"namespaces": [said]}}]}]
    yield _policy("AuthorizationPolicy", name, {"action": "DENY", "rules": who})
    yield _policy("RequestAuthentication", name, {"jwtRules": [{"issuer": said, "jwks": _KEYS}]})
    most = {"first": 7, "second": 8}[said]
    yield _policy("BackendConfigPolicy", name, {"perConnectionBufferLimitBytes": 4096 * most})
    pool = {"connectionPool": {"tcp": {"maxConnections": most}}}
    host = f"{name}.{hosts.get(name[0], 'example')}"
    yield of("DestinationRule", name, {"spec": {"host": host, "trafficPolicy": pool}})


def _policy(kind: str, target: str, spec: Raw) -> Object:
    return of(kind, target, {"spec": {"targetRefs": [reference(target)], **spec}})
