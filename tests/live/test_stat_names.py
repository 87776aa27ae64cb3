"""Envoy's own metrics, as the queries of Istio's dashboards look for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.serving import Place, answer, serving, workload
from serai.app.client.http import Entry, HttpRequest, send

pytestmark = pytest.mark.live


def _world(place: Place, endpoint: str) -> str:
    return f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: waypoint, namespace: shop}}
        spec:
          gatewayClassName: serai-waypoint
          addresses: [{{value: {place.gateway}}}]
          listeners: [{{name: mesh, port: 15088, protocol: istio.io/PROXY}}]
        ---
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: partner, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
        spec:
          hosts: [api.partner.example]
          addresses: [240.22.7.1]
          ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 3000}}]
          resolution: STATIC
          endpoints: [{{address: {endpoint}}}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {{name: cart, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
        spec:
          clusterIP: 10.22.7.1
          selector: {{app: cart}}
          ports: [{{name: http, port: 80, targetPort: 3000}}]
        ---
        apiVersion: v1
        kind: Pod
        metadata: {{name: cart, namespace: shop, labels: {{app: cart}}}}
        status: {{podIP: {endpoint}}}
        """


async def test_a_query_by_istios_cluster_name_finds_ours(tmp_path: Path) -> None:
    place = Place()
    endpoint = place.address()
    world = {"world.yaml": _world(place, endpoint)}
    async with serving(tmp_path, world, [workload(endpoint, 3000, "p")], place) as served:
        for vip in ("240.22.7.1", "10.22.7.1"):
            assert answer(await served.to_vip(vip, 80)).status == 200
        metrics = await _metrics(_admin(tmp_path))

    for host in ("api.partner.example", "cart.shop.svc.cluster.local"):
        name = f"outbound|80||{host}"
        found = {
            line.partition("{")[0]: line.rpartition(" ")[2]
            for line in metrics
            if f'cluster_name="{name}"' in line and f'envoy_cluster_name="{name}"' in line
        }
        assert found["envoy_cluster_upstream_rq_total"] == "1"
        assert found["envoy_cluster_membership_healthy"] == "1"
        assert found["envoy_cluster_upstream_rq_xx"] == "1"
    assert [each for each in metrics if 'envoy_response_code_class="2"' in each]
    # No part of a host's or a cluster's name is left in a metric's.
    names = {line.partition("{")[0] for line in metrics if line.startswith("envoy_cluster_")}
    assert not [each for each in names if "example" in each or "local" in each or "xds" in each]


async def _metrics(admin: str) -> list[str]:
    host, _, port = admin.strip().rpartition(":")
    ask = HttpRequest(method="GET", target="/stats/prometheus", headers=(("host", "admin"),))
    found = answer(await send(Entry(connect=(host, int(port))), ask, 10))
    return found.body.decode().splitlines()


def _admin(state: Path) -> str:
    (written,) = state.rglob("*.admin")
    return written.read_text()
