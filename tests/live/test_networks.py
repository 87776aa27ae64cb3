"""Endpoints of other networks are reached through the entrances of these, in two tunnels."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import pytest

from live.serving import SECONDS, Place, Served, answer, pod, serving, workload
from live.worlds import edge
from serai.app.identity import Authority
from serai.envoy.binary import find_envoy
from serai.views.problems import found_by

pytestmark = pytest.mark.live

WORLD = """
apiVersion: v1
kind: Namespace
metadata: {{name: istio-system, labels: {{topology.istio.io/network: here}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: near, namespace: shop}}
spec:
  gatewayClassName: serai-waypoint
  listeners: [{{name: mesh, port: 15008, protocol: HBONE}}]
"""
ENTRANCE = """
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: istio-system, labels: {{topology.istio.io/network: {name}}}}}
spec:
  gatewayClassName: istio-remote
  addresses: [{{type: IPAddress, value: {address}}}]
  listeners: [{{name: cross-network, port: 15008, protocol: HBONE}}]
"""
SERVICE = """
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: shop, labels: {{istio.io/use-waypoint: near}}}}
spec:
  hosts: [{name}.example]
  addresses: [{vip}]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 18080}}]
  endpoints: {endpoints}
"""


def tls(folder: Path, side: str) -> dict[str, Any]:
    """Mutual TLS with the certificate in a folder."""
    kind = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
    certificate = {
        "certificate_chain": {"filename": str(folder / "cert-chain.pem")},
        "private_key": {"filename": str(folder / "key.pem")},
    }
    trusted = {"trusted_ca": {"filename": str(folder / "root-cert.pem")}}
    common = {
        "tls_certificates": [certificate],
        "validation_context": trusted,
        "alpn_protocols": ["h2"],
    }
    config = {
        "@type": f"type.googleapis.com/{kind}",
        "require_client_certificate": True,
        "common_tls_context": common,
    }
    return {"name": side, "typed_config": config}


def ending(
    name: str,
    address: str,
    port: int,
    socket: dict[str, Any],
    hosts: Mapping[str, str],
    **match: Any,
) -> dict[str, Any]:
    """A listener that takes CONNECT for some authorities, and sends what is inside to clusters."""

    def route(cluster: str) -> dict[str, Any]:
        connect = [{"upgrade_type": "CONNECT", "connect_config": {}}]
        to = {"cluster": cluster, "upgrade_configs": connect}
        return {"match": {"connect_matcher": {}, **match}, "route": to}

    virtual_hosts = [
        {"name": each, "domains": [each], "routes": [route(cluster)]}
        for each, cluster in hosts.items()
    ]
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    kind = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    manager = {
        "@type": f"type.googleapis.com/{kind}",
        "stat_prefix": name,
        "codec_type": "HTTP2",
        "http2_protocol_options": {"allow_connect": True},
        "upgrade_configs": [{"upgrade_type": "CONNECT"}],
        "http_filters": [{"name": "router", "typed_config": {"@type": router}}],
        "route_config": {"virtual_hosts": virtual_hosts},
    }
    filters = [{"name": "http", "typed_config": manager}]
    where = {"socket_address": {"address": address, "port_value": port}}
    chain = {"filters": filters, "transport_socket": socket}
    return {"name": name, "address": where, "filter_chains": [chain]}


def leading(name: str, address: str, port: int) -> dict[str, Any]:
    """A cluster of one endpoint."""
    where = {"socket_address": {"address": address, "port_value": port}}
    endpoint = {"endpoint": {"address": where}}
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": name, "type": "STATIC", "load_assignment": assignment}


@contextlib.asynccontextmanager
async def entrance(
    tmp_path: Path, address: str, services: Mapping[str, tuple[str, str]]
) -> AsyncIterator[None]:
    """A network's east-west gateway with the workloads behind it, each before an endpoint.

    `services` has for each authority the workload's service account and address.  Only what says
    to come from a waypoint is let in.
    """
    authority_folder = next((tmp_path / "state").rglob("ca"))
    authority = Authority(authority_folder, "cluster.local")
    own = tmp_path / address / "gateway"
    authority.issue(own, authority.identity("istio-system", "entrance"))
    said = [{"name": "x-istio-source", "string_match": {"exact": "waypoint"}}]
    listeners, clusters, hosts = [], [], {}
    for number, (each, (account, backend)) in enumerate(services.items()):
        folder, port = tmp_path / address / account, 16000 + number
        authority.issue(folder, authority.identity("shop", account))
        inner = ending(f"inner{number}", address, port, tls(folder, "in"), {each: f"to{number}"})
        listeners.append(inner)
        clusters.append(leading(f"inner{number}", address, port))
        clusters.append(leading(f"to{number}", backend, 18080))
        hosts[each] = f"inner{number}"
    listeners.append(ending("outer", address, 15008, tls(own, "out"), hosts, headers=said))
    config = tmp_path / f"{address}.json"
    static = {"listeners": listeners, "clusters": clusters}
    config.write_bytes(msgspec.json.encode({"static_resources": static}))
    binary, _ = find_envoy()
    assert binary is not None
    with (tmp_path / f"{address}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(binary.path), "-c", str(config), "--use-dynamic-base-id", stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def shares(served: Served, vip: str, number: int = 60) -> Counter[str]:
    """Who answers how many of some requests."""
    found: Counter[str] = Counter()
    for _ in range(number):
        got = answer(await served.to_vip(vip, 80))
        found[pod(got) if got.status == 200 else str(got.status)] += 1
    return found


async def test_endpoints_of_other_networks_are_reached_through_their_entrances(
    tmp_path: Path,
) -> None:
    place = Place()
    here, west, other, north = (place.address() for _ in range(4))
    west_gateway, north_gateway = place.address(), place.address()
    shop = (
        f"[{{address: {here}}}, {{network: west, serviceAccount: cart, weight: 2}},"
        f" {{network: north, serviceAccount: cart}}]"
    )
    world = (
        WORLD.format()
        + ENTRANCE.format(name="west", address=west_gateway)
        + ENTRANCE.format(name="north", address=north_gateway)
        + SERVICE.format(name="shop", vip="240.4.0.1", endpoints=shop)
        + SERVICE.format(
            name="other", vip="240.4.0.2", endpoints="[{network: west, serviceAccount: other}]"
        )
        + SERVICE.format(
            name="liar", vip="240.4.0.3", endpoints="[{network: west, serviceAccount: nobody}]"
        )
    )
    echoes = [
        workload(here, 18080, "here"),
        workload(west, 18080, "west"),
        workload(other, 18080, "other"),
        workload(north, 18080, "north"),
    ]
    behind = {
        "shop.example:80": ("cart", west),
        "other.example:80": ("other", other),
        "liar.example:80": ("somebody", other),
    }
    async with (
        serving(tmp_path, {"world.yaml": world}, echoes, place) as served,
        entrance(tmp_path, west_gateway, behind),
        entrance(tmp_path, north_gateway, {"shop.example:80": ("cart", north)}),
    ):
        found = await eventually_from(served, "240.4.0.1", "here", "west", "north")
        assert found["west"] > found["here"]
        # The same entrances, and another service.
        await eventually_from(served, "240.4.0.2", "other")
        await eventually_from(served, "240.4.0.1", "here", "west", "north")
        # Whoever answers must be of the service.
        assert (await shares(served, "240.4.0.3", 3)).keys() == {"503"}
        # An entrance that goes takes its network with it.
        left = ENTRANCE.format(name="north", address=north_gateway)
        served.write("world.yaml", world.replace(left, ""))
        await eventually_from(served, "240.4.0.1", "here", "west")


async def eventually_from(served: Served, vip: str, *wanted: str) -> Counter[str]:
    """The answers, once they are from all of these and nobody else."""
    found: Counter[str] = Counter()
    try:
        async with asyncio.timeout(SECONDS):
            while found.keys() != set(wanted):
                found = await shares(served, vip)
    except TimeoutError:
        pytest.fail(f"{dict(found)} answered")
    return found


async def test_a_gateway_reaches_other_networks_through_the_waypoint(tmp_path: Path) -> None:
    place = Place()
    here, west, west_gateway = place.address(), place.address(), place.address()
    endpoints = f"[{{address: {here}}}, {{network: west, serviceAccount: cart}}]"
    backend = "{group: networking.istio.io, kind: Hostname, name: shop.example, port: 80}"
    world = (
        WORLD.format()
        + ENTRANCE.format(name="west", address=west_gateway)
        + SERVICE.format(name="shop", vip="240.4.0.1", endpoints=endpoints)
        + "---"
        + dedent(edge(place, backend))
    )
    echoes = [workload(here, 18080, "here"), workload(west, 18080, "west")]
    async with (
        serving(tmp_path, {"world.yaml": world}, echoes, place) as served,
        entrance(tmp_path, west_gateway, {"shop.example:80": ("cart", west)}),
    ):

        async def from_edge(*wanted: str) -> None:
            found: set[str] = set()
            async with asyncio.timeout(SECONDS):
                while found != {*wanted}:
                    got = [await served.to(place.gateway, 8080) for _ in range(30)]
                    found = {pod(each) for each in got if answer(each).status == 200}

        def told() -> set[str]:
            return {
                str(each.key)
                for each in found_by(served.instance.core.pipeline)
                if each.code == "SER1215"
            }

        await from_edge("here")
        assert told() == {"Gateway shop/edge"}
        label = 'istio.io/use-waypoint: near, istio.io/ingress-use-waypoint: "true"'
        served.write("world.yaml", world.replace("istio.io/use-waypoint: near", label))
        await from_edge("here", "west")
        assert not told()
