"""Services that Envoy asks about requests, and the policies that have it ask."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from live.serving import Served, answer, request
from serai.app.client.http import Entry, HttpAnswer

VIP, PORT = "240.0.0.7", 8000


def called(name: str, address: str, port: int, protocol: str, namespace: str = "shop") -> str:
    """A ServiceEntry that nobody captured, for whom is asked."""
    return f"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: {name}, namespace: {namespace}}}
        spec:
          hosts: [{name}.{namespace}.example]
          ports: [{{number: 80, name: port, protocol: {protocol}, targetPort: {port}}}]
          resolution: STATIC
          endpoints: [{{address: {address}}}]
        """


def policy(spec: str, name: str = "pay", kind: str = "ServiceEntry", section: str = "") -> str:
    group = "networking.istio.io" if kind == "ServiceEntry" else "gateway.networking.k8s.io"
    more = f", sectionName: {section}" if section else ""
    return f"""
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: TrafficPolicy
        metadata: {{name: {name}, namespace: shop}}
        spec:
          targetRefs: [{{group: {group}, kind: {kind}, name: pay{more}}}]
          {spec}
        """


async def ask(served: Served, path: str = "/", body: bytes = b"", **headers: str) -> HttpAnswer:
    entry = Entry(connect=(served.place.gateway, 15088), destination=(VIP, PORT))
    if body:
        headers["content_length"] = str(len(body))
    wanted = request(path, "pay.example.com", "POST" if body else "GET", **headers)
    return answer(await served.ask(entry, replace(wanted, body=body)))


def setting(side: str, **headers: str) -> dict[str, Any]:
    """What sets these headers."""
    options = [
        {"header": {"key": name.replace("_", "-"), "raw_value": value.encode()}}
        for name, value in headers.items()
    ]
    return {side: {"response": {"header_mutation": {"set_headers": options}}}}
