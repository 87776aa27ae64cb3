"""Bodies, metadata and statistics that templates make."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx2
import pytest

from live.extensions import VIP, ask, policy
from live.mesh import entry, mesh
from live.serving import SECONDS, Place, Served, echoed, eventually, serving, workload

pytestmark = pytest.mark.live

STRINGS = r"""transformation:
            request:
              body: {parseAs: AsString, value: 'asked "by" é {{ header("x-who") }}: {{ body() }}'}
              dynamicMetadata:
              - {namespace: shop, key: who, value: {stringValue: '{{ header("x-who") }}'}}
            response:
              body: {value: '{{ request_header("x-who") }} got {{ body() }}'}
"""

JSON = r"""transformation:
            request:
              set: [{name: x-model, value: 'm-{{ model }}'}]
              body: {parseAs: AsJson, value: '{"name": "{{ user.name }}"}'}
            response:
              set: [{name: x-path, value: '{{ path }}'}]
              body: {parseAs: AsJson}
"""


async def test_bodies_are_made_of_texts_and_of_fields(tmp_path: Path) -> None:
    place = Place()
    backend = place.address()
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", VIP, backend),
        "policy.yaml": policy(STRINGS),
    }
    async with serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served:
        found = await ask(served, body=b"hello", x_who='al"]]ice')
        assert found.body.startswith(b'al"]]ice got {')
        told = json.loads(found.body.removeprefix(b'al"]]ice got '))
        assert told["body"] == 'asked "by" é al"]]ice: hello'
        assert told["headers"]["Content-Length"] == [str(len(told["body"].encode()))]
        assert (await ask(served)).body.startswith(b" got {")

        served.write("policy.yaml", policy(JSON))
        sent = b'{"model": "x", "user": {"name": "alice"}}'
        found = await eventually(
            lambda: ask(served, "/a", body=sent, content_type="application/json"),
            lambda found: found.body.startswith(b"{"),
        )
        assert echoed(found)["headers"]["X-Model"] == ["m-x"]
        assert dict(found.headers)["x-path"] == "/a"

        plain = await ask(served, "/a", body=b"hello", content_type="text/plain")
        assert "X-Model" not in echoed(plain)["headers"]


ROUTE = """
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: pay, namespace: shop}
    spec:
      parentRefs: [{group: networking.istio.io, kind: ServiceEntry, name: pay}]
      rules:
      - name: whole
        backendRefs: [{group: networking.istio.io, kind: ServiceEntry, name: pay, port: 8000}]
    """


async def test_a_route_is_counted_under_its_own_name(tmp_path: Path) -> None:
    place = Place()
    backend = place.address()
    wanted = 'statPrefix: "{{route_namespace}}.{{ route_name }}.{{ rule_name }}"'
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", VIP, backend),
        "route.yaml": ROUTE,
        "policy.yaml": policy(wanted, kind="HTTPRoute"),
    }
    async with serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served:
        for _ in range(3):
            assert (await ask(served)).status == 200
        assert "route.shop.pay.whole.upstream_rq_2xx: 3" in await _stats(served)

        served.write("policy.yaml", policy("statPrefix: other", kind="HTTPRoute"))
        async with asyncio.timeout(SECONDS):
            while "route.other.upstream_rq_2xx" not in await _stats(served, "route.other."):
                assert (await ask(served)).status == 200


async def _stats(served: Served, name: str = "upstream_rq_2xx: 3") -> str:
    """Envoy's counters of routes; they are told with a delay."""
    fleet = served.instance.fleet
    assert fleet is not None
    (status,) = fleet.statuses()
    text = ""
    async with httpx2.AsyncClient(trust_env=False) as client:
        for _ in range(10):
            text = (await client.get(f"http://{status.admin}/stats?filter=route")).text
            if name in text:
                break
            await asyncio.sleep(0.1)
    return text
