"""What is sent to workloads' own addresses, at waypoints that take it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from live.hbone import GATEWAYS, INSIDE, Mesh, lines, who
from live.serving import Place, Served, answer, eventually, pod, request, serving, workload
from serai.api.problem import Problem
from serai.app.client.hbone import through
from serai.envoy.logfile import Tail

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
kind: Pod
metadata: {{name: a, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
status: {{podIP: {a}}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: b, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec: {{address: {b}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: c, namespace: shop}}
status: {{podIP: {c}}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: s, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  hosts: [s.example]
  addresses: [240.7.1.1]
  resolution: STATIC
  ports:
  - {{number: 18080, name: http, protocol: HTTP}}
  - {{number: 18090, name: tcp, protocol: TCP}}
  endpoints: [{{address: {c}}}]
"""
POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: secret, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]
  action: DENY
  rules: [{to: [{operation: {paths: [/secret]}}]}]
"""


class Workloads(Mesh):
    """Three workloads, the third without a waypoint."""

    def __init__(self, served: Served, folder: Path, addresses: list[str]) -> None:
        super().__init__(served, folder)
        self.a, self.b, self.c = addresses


@contextlib.asynccontextmanager
async def mesh(tmp_path: Path, taken: str = "all") -> AsyncIterator[Workloads]:
    place = Place()
    names = {each: place.address() for each in "abc"}
    echo = [workload(where, 18080, name) for name, where in names.items()]
    echo += [workload(where, 18090, name, tcp=True) for name, where in names.items()]
    files = {"mesh.yaml": MESH.format(taken=taken, **names)}
    async with serving(tmp_path, files, echo, place) as served:
        yield Workloads(served, tmp_path / "clients", list(names.values()))


async def test_requests_go_on_to_the_very_workload(tmp_path: Path) -> None:
    async with mesh(tmp_path) as found:
        log = found.log()
        for name, address in (("a", found.a), ("b", found.b)):
            tunnel = found.tunnel(f"{address}:18080", who("cart"))
            assert pod(await found.ask(tunnel)) == name
            assert pod(await found.served.to_vip(address, 18080, as_=who("pay"))) == name
        told = await lines(log, 4)
        assert [each["peer_principal"] for each in told] == [who("cart"), who("pay")] * 2
        where = [f"{found.a}:18080"] * 2 + [f"{found.b}:18080"] * 2
        assert [each["downstream_local_address"] for each in told] == where


async def test_bytes_do_too_also_at_a_port_that_a_service_has(tmp_path: Path) -> None:
    async with mesh(tmp_path) as found:
        for wanted, to in (("a", f"{found.a}:18090"), ("c", "240.7.1.1:18090")):
            tunnel = found.tunnel(to, who("cart"))
            async with through((found.served.place.gateway, 15008), tunnel) as (reader, writer, _):
                writer.write(b"hello\n")
                line = await asyncio.wait_for(reader.readuntil(b"\n"), 10)
                assert f'"{wanted}"'.encode() in line or wanted.encode() in line.split(b":")[-1]


async def test_whom_no_waypoint_has_cannot_be_reached(tmp_path: Path) -> None:
    async with mesh(tmp_path) as found:
        for to in (found.c, "127.0.0.1"):
            refused = await found.ask(found.tunnel(f"{to}:18080", who("cart")))
            assert answer(refused).status == 404
            tunnel = found.tunnel(f"{to}:18090", who("cart"))
            assert answer(await found.ask(tunnel)).status == 404
        assert pod(await found.ask(found.tunnel("240.7.1.1:18080", who("cart")))) == "c"


@pytest.mark.parametrize(("taken", "service", "workloads"), [("workload", 404, 200)])
async def test_a_waypoint_takes_what_its_label_says(
    tmp_path: Path, taken: str, service: int, workloads: int
) -> None:
    async with mesh(tmp_path, taken) as found:
        for to, wanted in (("240.7.1.1", service), (found.a, workloads), (found.b, workloads)):
            got = await found.ask(found.tunnel(f"{to}:18080", who("cart")))
            assert answer(got).status == wanted, to


async def test_policies_on_the_waypoint_see_requests(tmp_path: Path) -> None:
    async with mesh(tmp_path) as found:
        found.served.write("policy.yaml", POLICY)
        tunnel = found.tunnel(f"{found.a}:18080", who("cart"))
        await eventually(
            lambda: found.ask(tunnel, request("/secret", "x")), lambda got: got.status == 403
        )
        assert pod(await found.ask(tunnel, request("/open", "x"))) == "a"


async def test_one_that_comes_drops_nobody(tmp_path: Path) -> None:
    """Its address is one more row of the waypoint's listeners, which keep their connections."""
    async with mesh(tmp_path) as found:
        tunnel = found.tunnel(f"{found.a}:18090", who("cart"))
        async with through((found.served.place.gateway, 15008), tunnel) as (reader, writer, _):
            writer.write(b"before\n")
            await asyncio.wait_for(reader.readuntil(b"\n"), 10)
            other = found.tunnel(f"{found.c}:18080", who("cart"))
            assert answer(await found.ask(other)).status == 404
            more = f"""
                apiVersion: v1
                kind: Pod
                metadata: {{name: c, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
                status: {{podIP: {found.c}}}
            """
            found.served.write("mesh.yaml", _without_c(found.served) + more)
            await eventually(lambda: found.ask(other), lambda got: got.status == 200)
            writer.write(b"after\n")
            assert await asyncio.wait_for(reader.readuntil(b"\n"), 10)


def _without_c(served: Served) -> str:
    parts = (served.folder / "mesh.yaml").read_text().split("\n---\n")
    kept = [part for part in parts if "name: c," not in part]
    return "\n---\n".join([*kept, ""])


NEAR = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata:
  name: {name}
  namespace: shop
  labels: {{istio.io/use-waypoint: near, networking.istio.io/tunnel: http}}
spec: {{address: {far}}}
"""


async def test_a_workload_in_the_mesh_gets_tunnels_each_for_its_own_port(tmp_path: Path) -> None:
    """The second waypoint is the workload's ztunnel here: it is at the workload's address."""
    place = Place()
    far, endpoint = place.address(), place.address()
    taken = GATEWAYS.format(far=far).replace(
        "{name: near, namespace: shop}",
        "{name: near, namespace: shop, labels: {istio.io/waypoint-for: workload}}",
    )
    inside = INSIDE.format(far=far, endpoint=endpoint)
    other = inside.replace("name: inside", "name: beside").replace("inside.ex", "beside.ex")
    files = {
        "gateways.yaml": taken,
        "inside.yaml": inside,
        "beside.yaml": other.replace("18080", "18082").replace("18081", "18083"),
        "near.yaml": NEAR.format(name="far", far=far),
    }
    echo = [workload(endpoint, 18081, "one"), workload(endpoint, 18083, "two")]
    async with serving(tmp_path, files, echo, place) as served:
        fleet = served.instance.fleet
        assert fleet is not None
        paths = {each.gateway: Path(each.access_log) for each in fleet.statuses()}
        log = Tail(paths["shop/far"])

        async def ask(port: int, wanted: str) -> None:
            found = await served.to_vip(far, port, as_=who("cart"))
            assert not isinstance(found, Problem), found
            assert pod(found) == wanted

        for _ in range(5):
            await asyncio.gather(ask(18080, "one"), ask(18082, "two"))
        told = await lines(log, 10)
        assert {each["peer_principal"] for each in told} == {
            "spiffe://cluster.local/ns/shop/sa/near"
        }
