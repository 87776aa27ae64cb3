"""Many services on one waypoint: no request is ever answered by another service's rule."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from live.serving import Place, echoed, serving, workload
from live.test_hbone import WAYPOINT, Mesh, who
from serai.app.client.http import Entry, HttpRequest

pytestmark = pytest.mark.live

SERVICES = 200
REQUESTS = 600
AT_ONCE = 20
SERVICE = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: s{index}, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  hosts: [s{index}.example]
  addresses: [240.6.0.{index}]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 18080}}]
  endpoints: [{{address: {endpoint}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: r{index}, namespace: shop}}
spec:
  parentRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: s{index}}}]
  rules:
  - matches: [{{path: {{value: /p{path}}}}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {{set: [{{name: x-rule, value: "{index}"}}]}}
    backendRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: s{index}, port: 80}}]
"""


async def test_no_answer_is_from_anothers_rule(tmp_path: Path) -> None:
    """Services share one connection manager; half of the requests come through tunnels."""
    dice = random.Random(7)
    place = Place()
    endpoint = place.address()
    services = [
        SERVICE.format(index=index, path=index % 3, endpoint=endpoint) for index in range(SERVICES)
    ]
    files = {"waypoint.yaml": WAYPOINT, "services.yaml": "---".join(services)}
    echo = [workload(endpoint, 18080, "one")]
    async with serving(tmp_path, files, echo, place) as served:
        mesh = Mesh(served, tmp_path / "clients")
        # Names, paths and headers of other services in the request must not matter.
        asked = [
            (dice.randrange(SERVICES), dice.randrange(SERVICES), dice.random() < 0.5)
            for _ in range(REQUESTS)
        ]
        folder = mesh.tunnel("", who("cart"))
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(index: int, other: int, *, tunnelled: bool) -> None:
            spoof = ("x-serai-destination", f"240.6.0.{other}:80")
            headers = (("host", f"s{other}.example"), spoof, ("x-rule", "mine"))
            request = HttpRequest(target=f"/p{index % 3}/x", headers=headers)
            vip = f"240.6.0.{index}"
            entry = Entry(connect=(place.gateway, 15088), destination=(vip, 80))
            if tunnelled:
                tunnel = mesh.to(folder, f"{vip}:80")
                entry = Entry(connect=(place.gateway, 15008), tunnel=tunnel)
            async with gate:
                told = echoed(await served.ask(entry, request))
            got = {name.lower(): values for name, values in told["headers"].items()}
            assert got["x-rule"] == [str(index)]
            assert "x-serai-destination" not in got

        await asyncio.gather(*(one(i, j, tunnelled=tunnelled) for i, j, tunnelled in asked))
