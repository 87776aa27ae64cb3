"""A waypoint, and ServiceEntries and routes for it, as files."""

from __future__ import annotations

from live.serving import Place, Served, eventually
from serai.api.meta import Key
from serai.ir.origin import Origin
from serai.proto.envoy import RouteConfiguration
from serai.xds.encode.body import resource
from serai.xds.resource import ResourceType


def mesh(place: Place) -> str:
    return f"""
        apiVersion: v1
        kind: Namespace
        metadata: {{name: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: waypoint, namespace: shop}}
        spec:
          gatewayClassName: serai-waypoint
          addresses: [{{value: {place.gateway}}}]
          listeners: [{{name: mesh, port: 15088, protocol: istio.io/PROXY}}]
        """


def entry(name: str, vip: str, endpoint: str, *, port: int = 8000, hosts: str = "") -> str:
    return f"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: {name}, namespace: shop}}
        spec:
          hosts: [{hosts or f"{name}.example.com"}]
          addresses: [{vip}]
          ports: [{{number: {port}, name: http, protocol: HTTP, targetPort: 3000}}]
          resolution: STATIC
          endpoints: [{{address: {endpoint}}}]
        """


def route(name: str, parent: str, rules: str, namespace: str = "shop") -> str:
    return f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: {name}, namespace: {namespace}}}
        spec:
          parentRefs: [{parent}]
          rules: {rules}
        """


def to_host(name: str, port: int = 8000) -> str:
    return f"{{group: networking.istio.io, kind: Hostname, name: {name}, port: {port}}}"


REFUSED = {Key("HTTPRoute", "shop", "bad"), Key("ServiceEntry", "shop", "bad")}
HOST_BAD = "{group: networking.istio.io, kind: Hostname, name: bad.example.com}"


async def refuse_one(served: Served) -> None:
    """Bytes that Envoy refuses, as if a check of ours had missed what it refuses."""
    served.write("route.yaml", route("bad", HOST_BAD, "[{matches: [{path: {value: /no}}]}]"))
    await eventually(lambda: served.to_vip("240.0.0.8", 8000), lambda found: found.status == 404)
    match = {"safe_regex": {"regex": "["}}
    answer = {"match": match, "direct_response": {"status": 200}}
    hosts = [{"name": "v", "domains": ["*"], "routes": [answer]}]
    name = "http_serviceentry_8000_bad_shop"
    origins = tuple(Origin(Key(*key)) for key in REFUSED)
    bad = resource(
        ResourceType.ROUTES, name, RouteConfiguration(name=name, virtual_hosts=hosts), origins
    )
    served.instance.server.publish({"shop/waypoint": {bad.key: bad}})
    await eventually(
        lambda: served.to_vip("240.0.0.7", 8000),
        lambda _: any(each.code == "SER0701" for each in served.instance.problems()),
    )
