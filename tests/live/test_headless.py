"""Services without an address: reached by their endpoints' own, or by name in a tunnel."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from live.hbone import Mesh, lines, who
from live.serving import Place, answer, eventually, pod, request, serving, workload
from serai.api.problem import Problem
from serai.app.client.hbone import through
from serai.app.client.http import Entry, send
from serai.app.client.proxy_protocol import proxy_header

pytestmark = pytest.mark.live

MESH = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: waypoint, namespace: shop, labels: {{istio.io/waypoint-for: {taken}}}}}
spec:
  gatewayClassName: serai-waypoint
  listeners: [{{name: mesh, port: 15008, protocol: HBONE}}]
---
apiVersion: v1
kind: Namespace
metadata: {{name: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: db, namespace: shop}}
spec:
  clusterIP: None
  selector: {{app: db}}
  ports:
  - {{name: http, port: 80, targetPort: 18080}}
  - {{name: tcp, port: 90, targetPort: 18090}}
---
apiVersion: v1
kind: Service
metadata: {{name: elsewhere, namespace: shop}}
spec:
  clusterIP: 240.7.1.9
  selector: {{app: elsewhere}}
  ports: [{{name: http, port: 80, targetPort: 18080}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: db, namespace: shop}}
spec:
  parentRefs: [{{group: "", kind: Service, name: db}}]
  rules:
  - matches: [{{path: {{value: /away}}}}]
    backendRefs: [{{name: elsewhere, port: 80}}]
  - matches: [{{path: {{value: /v1}}}}]
    filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier: {{add: [{{name: x-route, value: db}}]}}
    backendRefs: [{{name: db, port: 80}}]
"""
POD = """
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop, labels: {{app: {app}}}}}
status: {{podIP: {address}}}
"""


class Pods(Mesh):
    """A headless service with its Pods' addresses."""

    addresses: dict[str, str]


@contextlib.asynccontextmanager
async def mesh(tmp_path: Path, taken: str) -> AsyncIterator[Pods]:
    place = Place()
    addresses = {name: place.address() for name in ("db-0", "db-1", "db-2", "other")}
    text = MESH.format(taken=taken)
    for name, address in addresses.items():
        app = "elsewhere" if name == "other" else "db"
        text += POD.format(name=name, app=app, address=address) if name != "db-2" else ""
    echo = [workload(address, 18080, name) for name, address in addresses.items()]
    echo += [workload(address, 18090, name, tcp=True) for name, address in addresses.items()]
    async with serving(tmp_path, {"mesh.yaml": text}, echo, place) as served:
        found = Pods(served, tmp_path / "clients")
        found.addresses = addresses
        yield found


@pytest.mark.parametrize("taken", ["service", "all"])
async def test_its_routes_count_and_its_chosen_endpoint_answers(tmp_path: Path, taken: str) -> None:
    async with mesh(tmp_path, taken) as found:
        log = found.log()
        for name in ("db-0", "db-1"):
            tunnel = found.tunnel(f"{found.addresses[name]}:18080", who("cart"))
            for _ in range(3):
                got = answer(await found.ask(tunnel, request("/v1", "x")))
                assert (pod(got), got.header("x-route")) == (name, "db")
            assert answer(await found.ask(tunnel, request("/else", "x"))).status == 404
            assert pod(await found.ask(tunnel, request("/away", "x"))) == "other"
        told = await lines(log, 10)
        assert {each["peer_principal"] for each in told} == {who("cart")}


@pytest.mark.parametrize("taken", ["service", "all"])
async def test_bytes_go_to_the_chosen_endpoint(tmp_path: Path, taken: str) -> None:
    async with mesh(tmp_path, taken) as found:
        for name in ("db-0", "db-1"):
            tunnel = found.tunnel(f"{found.addresses[name]}:18090", who("cart"))
            async with through((found.served.place.gateway, 15008), tunnel) as (reader, writer, _):
                writer.write(b"hello\n")
                assert name.encode() in await asyncio.wait_for(reader.readuntil(b"\n"), 10)


async def test_by_name_any_endpoint_answers(tmp_path: Path) -> None:
    async with mesh(tmp_path, "service") as found:
        tunnel = found.tunnel("db.shop.svc.cluster.local:80", who("cart"))
        answered = {pod(await found.ask(tunnel, request("/v1", "x"))) for _ in range(20)}
        assert answered == {"db-0", "db-1"}


async def test_the_proxy_protocol_may_name_it(tmp_path: Path) -> None:
    """By TLV 0xD1, whatever address comes with it; a name that is nobody's changes nothing."""
    async with mesh(tmp_path, "service") as found:
        where = found.served.place.gateway
        at, host = (where, 15088), "db.shop.svc.cluster.local"
        vip = ("240.7.1.9", 80)
        named = Entry(connect=at, destination=("192.0.2.1", 80), principal=who("cart"), host=host)
        log = found.log()
        asked = request("/v1", "x")
        answered = {pod(await found.served.ask(named, asked)) for _ in range(20)}
        assert answered == {"db-0", "db-1"}
        assert {each["peer_principal"] for each in await lines(log, 20)} == {who("cart")}
        unknown = Entry(connect=at, destination=vip, host="nobody.example")
        assert pod(await found.served.ask(unknown, asked)) == "other"
        nowhere = Entry(connect=at, destination=("192.0.2.1", 81), host=host)
        assert answer(await found.served.ask(nowhere, asked)).status == 404
        reader, writer = await asyncio.open_connection(*at)
        writer.write(proxy_header(("192.0.2.9", 1), ("192.0.2.1", 90), who("cart"), host))
        writer.write(b"hello\n")
        assert b"db-" in await asyncio.wait_for(reader.readuntil(b"\n"), 10)
        writer.transport.abort()


async def test_a_name_is_believed_on_the_proxy_port_alone(tmp_path: Path) -> None:
    """A client at a VIP on loopback that sends such a header has sent no request."""
    place = Place()
    vip, endpoint = place.address(), place.address()
    text = (
        MESH.format(taken="service")
        .replace("240.7.1.9", vip)
        .replace("port: 80, targetPort: 18080}]", "port: 18081, targetPort: 18080}]")
    )
    text += POD.format(name="db-0", app="db", address=endpoint)
    async with serving(tmp_path, {"mesh.yaml": text}, [workload(endpoint, 18080, "db-0")], place):
        host = "db.shop.svc.cluster.local"
        entry = Entry(
            connect=(vip, 18081), destination=(vip, 18081), principal=who("cart"), host=host
        )
        found = await send(entry, request("/v1", "x"), 10)
        assert isinstance(found, Problem) or found.status == 400, found


async def test_an_endpoint_that_comes_is_reached(tmp_path: Path) -> None:
    async with mesh(tmp_path, "service") as found:
        address = found.addresses["db-2"]
        tunnel = found.tunnel(f"{address}:18080", who("cart"))
        assert answer(await found.ask(tunnel, request("/v1", "x"))).status == 404
        found.served.write("db-2.yaml", POD.format(name="db-2", app="db", address=address))
        asked = request("/v1", "x")
        await eventually(lambda: found.ask(tunnel, asked), lambda got: got.status == 200)
        assert pod(await found.ask(tunnel, asked)) == "db-2"
