"""Ports that do not say what they speak: HTTP is routed as HTTP, all else goes on as it is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from live.hbone import Mesh, lines, who
from live.serving import Place, Served, answer, eventually, request, serving, workload
from serai.app.client.hbone import through
from serai.app.client.proxy_protocol import proxy_header

pytestmark = pytest.mark.live

VIP, SILENT = "240.7.1.1", "240.7.1.2"
SECONDS = 10
MESH = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: waypoint, namespace: shop}}
spec:
  gatewayClassName: serai-waypoint
  listeners: [{{name: mesh, port: 15008, protocol: HBONE}}]
---
apiVersion: v1
kind: Service
metadata: {{name: any, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  clusterIP: 240.7.1.1
  selector: {{app: any}}
  ports:
  - {{name: web, port: 80, targetPort: 18080}}
  - {{name: raw, port: 90, targetPort: 18090}}
---
apiVersion: v1
kind: Pod
metadata: {{name: any, namespace: shop, labels: {{app: any}}}}
status: {{podIP: {any}}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: silent, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  hosts: [silent.example]
  addresses: [240.7.1.2]
  resolution: STATIC
  ports: [{{number: 25, name: mail}}, {{number: 2525, name: mail-too}}]
  endpoints: [{{address: {first}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: any, namespace: shop}}
spec:
  parentRefs: [{{group: "", kind: Service, name: any, port: 80}}]
  rules:
  - matches: [{{path: {{value: /v1}}}}]
    filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier: {{add: [{{name: x-route, value: any}}]}}
    backendRefs: [{{name: any, port: 80}}]
"""
DENIED = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: any, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: any}]
  action: ALLOW
  rules:
  - from: [{source: {principals: [cluster.local/ns/shop/sa/cart]}}]
    to: [{operation: {ports: ["80", "90"]}}]
"""


@contextlib.asynccontextmanager
async def speaks_first(address: str, ports: tuple[int, ...]) -> AsyncIterator[None]:
    """A server that greets, as those of mail do, and hears nothing before that."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 at your service\r\n")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async with contextlib.AsyncExitStack() as stack:
        for port in ports:
            await stack.enter_async_context(await asyncio.start_server(greet, address, port))
        yield


@contextlib.asynccontextmanager
async def mesh(tmp_path: Path) -> AsyncIterator[Mesh]:
    place = Place()
    any_, first = place.address(), place.address()
    files = {"mesh.yaml": MESH.format(any=any_, first=first)}
    echo = [workload(any_, 18080, "http"), workload(any_, 18090, "bytes", tcp=True)]
    async with speaks_first(first, (25, 2525)), serving(tmp_path, files, echo, place) as served:
        yield Mesh(served, tmp_path / "clients")


@contextlib.asynccontextmanager
async def proxied(
    served: Served, vip: str, port: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(served.place.gateway, 15088)
    ours = writer.get_extra_info("sockname")
    writer.write(proxy_header((ours[0], ours[1]), (vip, port), who("cart")))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def said(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readline(), SECONDS)


async def test_http_is_routed_and_bytes_are_sent_on(tmp_path: Path) -> None:
    async with mesh(tmp_path) as found:
        served, log = found.served, found.log()
        routed = answer(await served.to_vip(VIP, 80, "/v1/x", as_=who("cart")))
        assert (routed.status, routed.header("x-route")) == (200, "any")
        missed = await served.to_vip(VIP, 80, "/v2", as_=who("cart"), connection="close")
        assert answer(missed).status == 404
        told = await lines(log, 2)
        assert [each["peer_principal"] for each in told] == [who("cart")] * 2
        assert {each["downstream_local_address"] for each in told} == {f"{VIP}:80"}
        async with proxied(served, VIP, 90) as (reader, writer):
            writer.write(b"hello\n")
            assert b"bytes" in await said(reader)
        (line,) = await lines(log, 1)
        assert line["peer_principal"] == who("cart")
        assert line["downstream_local_address"] == f"{VIP}:90"


async def test_in_tunnels_likewise(tmp_path: Path) -> None:
    async with mesh(tmp_path) as found:
        log = found.log()
        routed = answer(await found.ask(found.tunnel(f"{VIP}:80", who("pay")), request("/v1", "x")))
        assert (routed.status, routed.header("x-route")) == (200, "any")
        tunnel = found.tunnel(f"{VIP}:90", who("cart"))
        async with through((found.served.place.gateway, 15008), tunnel) as (reader, writer, _):
            writer.write(b"hello\n")
            assert b"bytes" in await said(reader)
        told = await lines(log, 2)
        assert [each["peer_principal"] for each in told] == [who("pay"), who("cart")]
        assert [each["downstream_local_address"] for each in told] == [f"{VIP}:80", f"{VIP}:90"]


@pytest.mark.parametrize("port", [25, 2525])
async def test_a_server_may_speak_first(tmp_path: Path, port: int) -> None:
    """At once where custom says that it does, else once the client was waited for in vain."""
    async with mesh(tmp_path) as found:
        began = time.monotonic()
        async with proxied(found.served, SILENT, port) as (reader, _):
            assert (await said(reader)).startswith(b"220")
        waited = time.monotonic() - began
        assert waited >= 0.9 if port == 2525 else True
        tunnel = found.tunnel(f"{SILENT}:{port}", who("cart"))
        async with through((found.served.place.gateway, 15008), tunnel) as (reader, _, _):
            assert (await said(reader)).startswith(b"220")


async def test_policies_see_requests_or_connections(tmp_path: Path) -> None:
    async with mesh(tmp_path) as found:
        served = found.served
        served.write("policy.yaml", DENIED)

        async def status(identity: str, path: str = "/v1") -> int:
            return answer(await served.to_vip(VIP, 80, path, as_=identity)).status

        await eventually(lambda: served.to_vip(VIP, 80, "/v1"), lambda got: got.status == 403)
        assert await status(who("other")) == 403
        assert await status(who("cart")) == 200
        async with proxied(served, VIP, 90) as (reader, writer):
            writer.write(b"hello\n")
            assert b"bytes" in await said(reader)
