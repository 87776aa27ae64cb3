"""TLS to hosts under a wildcard, whose addresses nobody should go to."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import msgspec
import pytest

from listening import listening
from live.serving import Place, serving
from serai.app.client.http import Entry, HttpRequest
from serai.model.settings import Settings

pytestmark = pytest.mark.live

VIP = "240.9.9.1"
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
metadata: {{name: anything, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  hosts: ["*"]
  resolution: DYNAMIC_DNS
  ports: [{{number: 443, name: tls, protocol: TLS, targetPort: {port}}}]
status: {{addresses: [{{value: 240.9.9.1, host: "*"}}]}}
"""


@pytest.mark.parametrize(("allowed", "reached"), [((), 0), (("127.0.0.0/8", "::1/128"), 1)])
async def test_an_address_that_is_refused_is_never_connected_to(
    tmp_path: Path, allowed: tuple[str, ...], reached: int
) -> None:
    connected = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer.get_extra_info("peername"))
        writer.close()

    place = Place()
    settings = msgspec.structs.replace(Settings(), allow_resolved=allowed)
    async with listening(accept, "localhost", family=socket.AF_INET) as server:
        files = {"all.yaml": MANIFESTS.format(port=server.sockets[0].getsockname()[1])}
        async with serving(tmp_path, files, place=place, settings=settings) as served:
            entry = Entry(connect=(place.gateway, 15088), destination=(VIP, 443))
            asked = HttpRequest(headers=(("host", "x"),), tls_name="in.localhost", verify=False)
            await served.ask(entry, asked)
            assert len(connected) == reached


GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge, namespace: shop}}
spec:
  gatewayClassName: serai
  addresses: [{{value: {gateway}}}]
  listeners: [{{name: tls, port: 8443, protocol: TLS, tls: {{mode: Passthrough}}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {{name: out, namespace: shop}}
spec:
  parentRefs: [{{name: edge}}]
  hostnames: ["*.vendor.localhost"]
  rules:
  - backendRefs:
    - {{group: networking.istio.io, kind: Hostname, name: "*.vendor.localhost", port: 443}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: vendor, namespace: shop}}
spec:
  hosts: ["*.vendor.localhost"]
  resolution: DYNAMIC_DNS
  ports: [{{number: 443, name: tls, protocol: TLS, targetPort: {port}}}]
"""


async def test_a_gateway_looks_up_the_name_of_a_clienthello_too(tmp_path: Path) -> None:
    connected = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer.get_extra_info("peername"))
        writer.close()

    place = Place()
    settings = msgspec.structs.replace(Settings(), allow_resolved=("127.0.0.0/8", "::1/128"))
    async with listening(accept, "localhost", family=socket.AF_INET) as server:
        port = server.sockets[0].getsockname()[1]
        files = {"edge.yaml": GATEWAY.format(port=port, gateway=place.gateway)}
        async with serving(tmp_path, files, place=place, settings=settings) as served:

            async def ask(name: str) -> None:
                asked = HttpRequest(headers=(("host", "x"),), tls_name=name, verify=False)
                await served.ask(Entry(connect=(place.gateway, 8443)), asked)

            await ask("eu.other.localhost")
            assert connected == []
            await ask("eu.vendor.localhost")
            assert len(connected) == 1
