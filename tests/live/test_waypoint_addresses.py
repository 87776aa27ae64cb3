"""Where a waypoint takes the PROXY protocol: on both loopback addresses, or on the one there is."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from live.serving import Place, pod, request, serving, workload
from serai.api.meta import Key
from serai.app import compose
from serai.app.client.http import Entry
from serai.app.ports import is_bindable
from serai.model.settings import Settings
from serai.status.values import GatewayStatus

pytestmark = pytest.mark.live

MESH = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: waypoint, namespace: shop}}
spec:
  gatewayClassName: serai-waypoint
  listeners: [{{name: mesh, port: {port}, protocol: istio.io/PROXY}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: six, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  hosts: [six.example]
  addresses: [240.7.1.1, "fd07::1"]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 18080}}]
  endpoints: [{{address: {endpoint}}}]
"""
WAYPOINT = Key("Gateway", "shop", "waypoint")


async def test_a_ztunnel_may_dial_it_by_either_family(tmp_path: Path) -> None:
    place, port = Place(), random.randrange(20_000, 30_000)
    endpoint = place.address()
    files = {"mesh.yaml": MESH.format(port=port, endpoint=endpoint)}
    both = Settings(proxy_bind=(place.gateway, "::1"))
    echo = [workload(endpoint, 18080, "six")]
    async with serving(tmp_path, files, echo, place, both) as served:
        for connect, vip in ((place.gateway, "240.7.1.1"), ("::1", "fd07::1")):
            entry = Entry(connect=(connect, port), destination=(vip, 80))
            assert pod(await served.ask(entry, request("/", "six.example"))) == "six"


async def test_one_that_the_machine_lacks_is_told_and_the_other_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_v4(address: str) -> bool:
        return ":" not in address and is_bindable(address)

    usable: Callable[[str], bool] = only_v4
    monkeypatch.setattr(compose, "is_bindable", usable)
    place, port = Place(), random.randrange(20_000, 30_000)
    endpoint = place.address()
    files = {"mesh.yaml": MESH.format(port=port, endpoint=endpoint)}
    both = Settings(proxy_bind=(place.gateway, "::1"))
    echo = [workload(endpoint, 18080, "six")]
    async with serving(tmp_path, files, echo, place, both) as served:
        pipeline = served.instance.core.pipeline
        entry = Entry(connect=(place.gateway, port), destination=("240.7.1.1", 80))
        assert pod(await served.ask(entry, request("/", "six.example"))) == "six"
        told = [problem for _, problem in pipeline.problems.items() if problem.key == WAYPOINT]
        assert [(each.code, each.severity) for each in told] == [("SER0310", "warning")]
        status = pipeline.statuses.row(WAYPOINT)
        assert isinstance(status, GatewayStatus)
        assert [each.value for each in status.addresses] == [place.gateway]
        assert [each.status for each in status.conditions if each.type == "Programmed"] == ["True"]
