"""Many services on one waypoint: no request is ever answered by another service's rule.

Neither by its routes, nor by its policies.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from live.hbone import WAYPOINT, Mesh, who
from live.serving import Place, answer, echoed, serving, workload
from serai.app.client.http import Entry, HttpRequest

pytestmark = pytest.mark.live

SERVICES = 200
REQUESTS = 1000
AT_ONCE = 20
CALLERS = ("cart", "web", "batch")
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


POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: a{index}, namespace: shop}}
spec:
  action: {action}
  targetRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: s{index}}}]
  rules:
  - from: [{{source: {{serviceAccounts: [shop/{caller}]}}}}]
    to: [{{operation: {{paths: ["/p{path}/*"]}}}}]
"""
ACTIONS = ("ALLOW", "DENY", "")


def written(index: int, endpoint: str) -> str:
    """A service, a route of its own, and mostly a policy about one caller."""
    action, caller = ACTIONS[index % 3], CALLERS[index // 3 % 3]
    service = SERVICE.format(index=index, path=index % 3, endpoint=endpoint)
    policy = POLICY.format(index=index, action=action, caller=caller, path=index % 3)
    return f"{service}---{policy}" if action else service


def lets_in(index: int, caller: str) -> bool:
    """What that policy says of a call to what the route is for."""
    named = caller == CALLERS[index // 3 % 3]
    return {"ALLOW": named, "DENY": not named, "": True}[ACTIONS[index % 3]]


async def test_no_answer_is_from_anothers_rule(tmp_path: Path) -> None:
    """Services share one connection manager; half of the requests come through tunnels."""
    dice = random.Random(7)
    place = Place()
    endpoint = place.address()
    services = [written(index, endpoint) for index in range(SERVICES)]
    files = {"waypoint.yaml": WAYPOINT, "services.yaml": "---".join(services)}
    echo = [workload(endpoint, 18080, "one")]
    async with serving(tmp_path, files, echo, place) as served:
        mesh = Mesh(served, tmp_path / "clients")
        tunnels = {caller: mesh.tunnel("", who(caller)) for caller in CALLERS}
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(index: int, other: int, caller: str, *, tunnelled: bool) -> bool:
            # Names, paths and headers of other services in the request must not matter.
            spoof = ("x-serai-destination", f"240.6.0.{other}:80")
            headers = (("host", f"s{other}.example"), spoof, ("x-rule", "mine"))
            request = HttpRequest(target=f"/p{index % 3}/x", headers=headers)
            vip = f"240.6.0.{index}"
            entry = Entry(
                connect=(place.gateway, 15088), destination=(vip, 80), principal=who(caller)
            )
            if tunnelled:
                tunnel = mesh.to(tunnels[caller], f"{vip}:80")
                entry = Entry(connect=(place.gateway, 15008), tunnel=tunnel)
            async with gate:
                found = answer(await served.ask(entry, request))
            if not lets_in(index, caller):
                assert (found.status, found.body) == (403, b"RBAC: access denied")
                return False
            told = echoed(found)
            got = {name.lower(): values for name, values in told["headers"].items()}
            assert got["x-rule"] == [str(index)]
            assert "x-serai-destination" not in got
            return True

        calls = (
            one(
                dice.randrange(SERVICES),
                dice.randrange(SERVICES),
                dice.choice(CALLERS),
                tunnelled=dice.random() < 0.5,
            )
            for _ in range(REQUESTS)
        )
        passed = sum(await asyncio.gather(*calls))
        assert REQUESTS // 4 < passed < REQUESTS * 3 // 4
