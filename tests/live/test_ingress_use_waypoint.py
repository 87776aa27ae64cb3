"""Gateways that go through the waypoint of what they send to: istio.io/ingress-use-waypoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.hbone import WAYPOINT
from live.serving import Place, answer, echoed, eventually, serving, workload
from serai.trace import Forwarded, TraceRequest, View, resolve, trace

pytestmark = pytest.mark.live

PORT = 18971
MANIFESTS = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge, namespace: shop}}
spec:
  gatewayClassName: serai
  listeners: [{{name: http, port: {port}, protocol: HTTP}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: api
  namespace: shop
  labels: {{istio.io/use-waypoint: waypoint{label}}}
spec:
  hosts: [api.example]
  addresses: [{vip}]
  resolution: STATIC
  ports:
  - {{number: 80, name: http, protocol: HTTP, targetPort: 18080}}
  - {{number: 81, name: grpc, protocol: HTTP2, targetPort: 18080}}
  endpoints: [{{address: {endpoint}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: at-the-edge, namespace: shop}}
spec:
  parentRefs: [{{name: edge}}]
  rules:
  - matches: [{{path: {{value: /h2}}}}]
    backendRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: api, port: 81}}]
  - backendRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: api, port: 80}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: at-the-waypoint, namespace: shop}}
spec:
  parentRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: api}}]
  rules:
  - filters:
    - {{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: x-waypoint, value: "yes"}}]}}}}
    backendRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: api, port: 80}}]
"""  # noqa: E501
ASKED = ', istio.io/ingress-use-waypoint: "true"'


async def test_a_gateway_goes_through_the_waypoint_where_a_label_asks_for_it(
    tmp_path: Path,
) -> None:
    place = Place()
    endpoint = place.address()

    def manifests(label: str) -> str:
        return MANIFESTS.format(port=PORT, vip="240.5.0.1", endpoint=endpoint, label=label)

    files = {"waypoint.yaml": WAYPOINT, "all.yaml": manifests("")}
    async with serving(tmp_path, files, [workload(endpoint, 18080, "api")], place) as served:
        where = served.instance.core.addresses
        edge = next(each for key, each in where.items() if key.name == "edge")[0]
        assert "x-waypoint" not in _headers(await served.to(edge, PORT))
        served.write("all.yaml", manifests(ASKED))
        through = await eventually(
            lambda: served.to(edge, PORT), lambda found: b"x-waypoint" in found.body.lower()
        )
        assert _headers(through)["x-waypoint"] == ["yes"]
        assert "x-waypoint" in _headers(await served.to(edge, PORT, "/h2"))
        pipeline = served.instance.core.pipeline
        view = View(pipeline.attached, pipeline.translated)
        request = resolve(view, f"http://x:{PORT}/", via="shop/edge")
        assert isinstance(request, TraceRequest)
        outcome = trace(view, request).outcome
        assert isinstance(outcome, Forwarded)
        assert [each.port for each in outcome.shares[0].endpoints] == [15008]
        served.write("all.yaml", manifests(""))
        around = await eventually(
            lambda: served.to(edge, PORT), lambda found: b"x-waypoint" not in found.body.lower()
        )
        assert answer(around).status == 200


def _headers(found: object) -> dict[str, list[str]]:
    told = echoed(found)  # type: ignore[arg-type]
    return {name.lower(): values for name, values in told["headers"].items()}
