"""Listener policies at waypoints, whose clients come by the PROXY protocol or to a VIP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from live.serving import SECONDS, Place, answer, echoed, eventually, serving, workload

pytestmark = pytest.mark.live

MANIFESTS = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: waypoint, namespace: shop}}
spec:
  gatewayClassName: serai-waypoint
  listeners: [{{name: proxy, port: 15088, protocol: istio.io/PROXY}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: api, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  hosts: [api.internal]
  addresses: [240.9.8.7]
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 3000}}]
  resolution: STATIC
  endpoints: [{{address: {endpoint}}}]
"""
CALLER = "spiffe://cluster.local/ns/shop/sa/cart"


def policy(settings: str) -> str:
    return f"""
apiVersion: gateway.kgateway.dev/v1alpha1
kind: ListenerPolicy
metadata: {{name: p, namespace: shop}}
spec:
  targetRefs:
  - {{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint, sectionName: proxy}}
  default: {{httpSettings: {settings}}}
"""


async def test_what_is_logged_has_the_caller_and_can_be_changed(tmp_path: Path) -> None:
    place, log = Place(), tmp_path / "access.log"
    at = place.address()
    shape = '{who: "%FILTER_STATE(io.istio.peer_principal:PLAIN)%", route: "%ROUTE_NAME%"}'
    refused = "filter: {orFilter: [{responseFlagFilter: {flags: [NR]}},"
    refused += " {celFilter: {match: \"request.headers['x-log'] == 'yes'\"}}]}"
    sink = f"fileSink: {{path: {log}, jsonFormat: {shape}}}"
    files = {
        "all.yaml": MANIFESTS.format(endpoint=at),
        "policy.yaml": policy(f"{{serverName: one, accessLog: [{{{sink}, {refused}}}]}}"),
    }
    async with serving(tmp_path, files, [workload(at, 3000, "api")], place) as served:
        host = "api.internal"
        await eventually(
            lambda: served.to_vip("240.9.8.7", 80, host=host, as_=CALLER),
            lambda found: ("server", "one") in found.headers,
        )
        seen = served.to_vip("240.9.8.7", 80, host=host, as_=CALLER, x_log="yes")
        assert echoed(await seen)["pod"] == "api"
        async with asyncio.timeout(SECONDS):
            lines = await _lines(log)
        assert [msgspec.json.decode(line) for line in lines] == [
            {"who": CALLER, "route": "default"}
        ]
        served.write("policy.yaml", policy("{serverName: two, maxHeadersCount: 20}"))
        await eventually(
            lambda: served.to_vip("240.9.8.7", 80, host=host),
            lambda found: ("server", "two") in found.headers,
        )
        many = {f"x_{number}": "1" for number in range(40)}
        assert answer(await served.to_vip("240.9.8.7", 80, host=host, **many)).status == 431


async def _lines(log: Path) -> list[str]:
    for _ in range(200):
        if found := _written(log):
            return found
        await asyncio.sleep(0.05)
    return []


def _written(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []
