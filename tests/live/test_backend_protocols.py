"""What gateways speak to their backends: HTTP/2 in clear text, WebSocket, gRPC.

Gateway API: GEP-1911 (appProtocol).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from wsproto.events import BytesMessage, Event, TextMessage

from conformance.clients import frames, rpc
from live.serving import Place, answer, serving
from serai.app.client.http import Entry, HttpRequest
from serai.echo.endpoint import EchoEndpoint, Identity

pytestmark = pytest.mark.live

PORT = 18842
ECHO = "gateway_api_conformance.echo_basic.grpcecho.GrpcEcho"


def manifests(place: Place, backend: str, app_protocol: str) -> str:
    return f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: edge, namespace: shop}}
        spec:
          gatewayClassName: serai
          addresses: [{{value: {place.gateway}}}]
          listeners: [{{name: http, port: {PORT}, protocol: HTTP}}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {{name: a, namespace: shop}}
        spec:
          ports: [{{name: web, port: 80, targetPort: 8081, appProtocol: {app_protocol}}}]
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {{name: a-1, namespace: shop, labels: {{kubernetes.io/service-name: a}}}}
        addressType: IPv4
        ports: [{{name: web, port: 8081, protocol: TCP}}]
        endpoints: [{{addresses: [{backend}], conditions: {{ready: true}}}}]
        """


HTTP_ROUTE = """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: r, namespace: shop}
        spec:
          parentRefs: [{name: edge}]
          rules:
          - name: all
            backendRefs: [{name: a, port: 80}]
        """
GRPC_ROUTE = f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: GRPCRoute
        metadata: {{name: r, namespace: shop}}
        spec:
          parentRefs: [{{name: edge}}]
          rules:
          - name: one
            matches: [{{method: {{service: {ECHO}, method: Echo}}}}]
            filters:
            - type: RequestHeaderModifier
              requestHeaderModifier:
                set: [{{name: x-set, value: rule}}]
                add: [{{name: x-add, value: rule}}]
                remove: [x-remove]
            - type: ResponseHeaderModifier
              responseHeaderModifier: {{set: [{{name: x-answer, value: rule}}]}}
            backendRefs: [{{name: a, port: 80}}]
          - name: other
            matches:
            - method: {{service: {ECHO}, method: EchoTwo}}
              headers: [{{name: x-two, value: two}}]
            backendRefs: [{{name: a, port: 80}}]
        """


async def test_http2_in_clear_text(tmp_path: Path) -> None:
    place = Place()
    backend = place.address()
    files = {"a.yaml": manifests(place, backend, "kubernetes.io/h2c"), "r.yaml": HTTP_ROUTE}
    echoes = [EchoEndpoint(backend, 8081, Identity(pod="a"), "h2c")]
    async with serving(tmp_path, files, echoes, place) as served:
        wanted = HttpRequest(method="GET", target="/x", headers=(("host", "any.example"),))
        found = answer(await served.ask(Entry(connect=(place.gateway, PORT)), wanted))
        assert found.status == 200
        assert msgspec.json.decode(found.body)["proto"] == "HTTP/2.0"


async def test_frames_go_both_ways(tmp_path: Path) -> None:
    place = Place()
    backend = place.address()
    files = {"a.yaml": manifests(place, backend, "kubernetes.io/ws"), "r.yaml": HTTP_ROUTE}
    async with serving(tmp_path, files, [EchoEndpoint(backend, 8081)], place):
        sent: list[Event] = [TextMessage(data="hello"), BytesMessage(data=b"\x00\xff")]
        assert await frames((place.gateway, PORT), "/ws", sent) == sent


async def test_calls_arrive_with_their_headers_changed(tmp_path: Path) -> None:
    place = Place()
    backend = place.address()
    files = {"a.yaml": manifests(place, backend, "kubernetes.io/h2c"), "r.yaml": GRPC_ROUTE}
    echoes = [EchoEndpoint(backend, 8081, Identity(pod="a"), "h2c")]
    async with serving(tmp_path, files, echoes, place):
        connect = (place.gateway, PORT)
        sent = {"x-set": "mine", "x-add": "mine", "x-remove": "mine", "x-keep": "mine"}
        found = await rpc(connect, {"service": ECHO, "method": "Echo", "metadata": sent})
        assert found.status == 0, found
        arrived = {name: found.arrived(name) for name in sent}
        assert arrived == {
            "x-set": "rule",
            "x-add": "mine,rule",
            "x-remove": None,
            "x-keep": "mine",
        }
        assert found.header("x-answer") == "rule"
        other: dict[str, Any] = {"service": ECHO, "method": "EchoTwo"}
        assert (await rpc(connect, other)).status == 12, "the header is missing"
        other = {**other, "metadata": {"x-two": "two"}}
        assert (await rpc(connect, other)).status == 0
        assert (await rpc(connect, {"service": ECHO, "method": "EchoThree"})).status == 12
