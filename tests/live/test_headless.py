"""Services without an address: reached by their endpoints' own, or by name in a tunnel."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from live.serving import Place, answer, eventually, pod, request, serving, workload
from live.test_hbone import Mesh, lines, who
from serai.app.client.hbone import through

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


async def test_an_endpoint_that_comes_is_reached(tmp_path: Path) -> None:
    async with mesh(tmp_path, "service") as found:
        address = found.addresses["db-2"]
        tunnel = found.tunnel(f"{address}:18080", who("cart"))
        assert answer(await found.ask(tunnel, request("/v1", "x"))).status == 404
        found.served.write("db-2.yaml", POD.format(name="db-2", app="db", address=address))
        asked = request("/v1", "x")
        await eventually(lambda: found.ask(tunnel, asked), lambda got: got.status == 200)
        assert pod(await found.ask(tunnel, asked)) == "db-2"
