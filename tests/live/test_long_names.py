"""A Gateway whose name is as long as a name may be.  Gateway API: ObjectMeta.name, 253 letters."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.serving import Place, answer, serving, workload
from live.worlds import entry
from serai.api.meta import Key
from serai.app.client.http import Entry, HttpRequest
from serai.status.values import GatewayStatus

pytestmark = pytest.mark.live

NAME = "g" * 253
PORT = 18862


async def test_the_longest_name_is_served(tmp_path: Path) -> None:
    place = Place()
    backend = place.address()
    manifests = f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: {NAME}, namespace: shop}}
        spec:
          gatewayClassName: serai
          addresses: [{{value: {place.gateway}}}]
          listeners: [{{name: http, port: {PORT}, protocol: HTTP}}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: {"r" * 253}, namespace: shop}}
        spec:
          parentRefs: [{{name: {NAME}}}]
          rules:
          - backendRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: a, port: 80}}]
        """
    files = {"edge.yaml": manifests, "a.yaml": entry("a", backend)}
    async with serving(tmp_path, files, [workload(backend, 8081, "a")], place) as s:
        wanted = HttpRequest(method="GET", target="/", headers=(("host", "x"),))
        found = answer(await s.ask(Entry(connect=(place.gateway, PORT)), wanted))
        assert found.status == 200
        status = s.instance.core.pipeline.statuses.row(Key("Gateway", "shop", NAME))
        assert isinstance(status, GatewayStatus)
        assert {(each.type, each.status) for each in status.conditions} >= {
            ("Accepted", "True"),
            ("Programmed", "True"),
        }
