"""Endpoints of services without an address that take HBONE: reached by tunnels, the others not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from live.hbone import GATEWAYS, INSIDE, Mesh, lines, who
from live.serving import Place, pod, request, serving, workload
from live.worlds import rule
from serai.app.client.hbone import through
from serai.echo.endpoint import EchoEndpoint
from serai.envoy.logfile import Tail

pytestmark = pytest.mark.live

NEAR = "spiffe://cluster.local/ns/shop/sa/near"
CHOSEN = """
apiVersion: v1
kind: Service
metadata: {{name: db, namespace: shop, labels: {{istio.io/use-waypoint: near}}}}
spec:
  clusterIP: None
  selector: {{app: db}}
  ports:
  - {{name: {http}, port: 80, targetPort: 18080}}
  - {{name: {tcp}, port: 82, targetPort: 18082}}
"""
POD = """
---
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  namespace: shop
  labels: {{app: db}}
  annotations: {{ambient.istio.io/redirection: {redirected}}}
status: {{podIP: {address}}}
"""


class Chosen(Mesh):
    """Two endpoints in the mesh and one beside it."""

    addresses: dict[str, str]

    def log_of(self, gateway: str) -> Tail:
        fleet = self.served.instance.fleet
        assert fleet is not None
        return Tail(
            Path(next(each.access_log for each in fleet.statuses() if each.gateway == gateway))
        )


@contextlib.asynccontextmanager
async def mesh(
    tmp_path: Path, http: str = "http", tcp: str = "tcp", more: str = ""
) -> AsyncIterator[Chosen]:
    """A second waypoint is the endpoints' ztunnel here: it is at their addresses."""
    place = Place()
    found = {name: place.address() for name in ("one", "two", "plain")}
    ends = {name: place.address() for name in ("one", "two")}
    where = "{type: IPAddress, value: %s}"
    both = f"{where % found['one']}, {where % found['two']}"
    gateways = GATEWAYS.replace("{{type: IPAddress, value: {far}}}", "{far}").format(far=both)
    files = {
        "gateways.yaml": gateways,
        "db.yaml": CHOSEN.format(http=http, tcp=tcp) + "".join(_pods(found)),
        "more.yaml": more,
    }
    echo = [workload(found["plain"], 18080, "plain"), _bytes(found["plain"], 18082, "plain")]
    for name, end in ends.items():
        text = INSIDE.format(far=found[name], endpoint=end).replace("inside", f"inside-{name}")
        files[f"{name}.yaml"] = text
        raw = text.replace("inside-", "raw-").replace("name: http, protocol: HTTP", "name: tcp")
        files[f"raw-{name}.yaml"] = raw.replace("18080", "18082").replace("18081", "18083")
        echo += [workload(end, 18081, name), _bytes(end, 18083, name)]
    async with serving(tmp_path, files, echo, place) as served:
        chosen = Chosen(served, tmp_path / "clients")
        chosen.addresses = found
        yield chosen


def _pods(found: dict[str, str]) -> Iterator[str]:
    for name, address in found.items():
        redirected = "disabled" if name == "plain" else "enabled"
        yield POD.format(name=name, address=address, redirected=redirected)


def _bytes(address: str, port: int, name: str) -> EchoEndpoint:
    return workload(address, port, name, tcp=True)


@pytest.mark.parametrize("http", ["http", "any"])
async def test_requests_go_to_the_chosen_one_as_it_takes_them(tmp_path: Path, http: str) -> None:
    async with mesh(tmp_path, http=http) as found:
        log = found.log_of("shop/far")

        async def ask(name: str) -> None:
            address = found.addresses[name]
            tunnel = found.tunnel(f"{address}:18080", who("cart"))
            assert pod(await found.ask(tunnel, request("/", "x"))) == name
            got = await found.served.to_vip(address, 18080, as_=who("pay"))
            assert pod(got) == name

        for _ in range(4):
            await asyncio.gather(*(ask(name) for name in found.addresses))
        # Those of the plain one did not come by here.
        told = await lines(log, 16)
        assert {each["peer_principal"] for each in told} == {NEAR}
        where = sorted(each["downstream_local_address"] for each in told)
        both = (found.addresses["one"], found.addresses["two"])
        assert where == sorted(f"{each}:18080" for each in both for _ in range(8))


@pytest.mark.parametrize("tcp", ["tcp", "other"])
async def test_bytes_do_too(tmp_path: Path, tcp: str) -> None:
    async with mesh(tmp_path, tcp=tcp) as found:
        own, log = found.log_of("shop/near"), found.log_of("shop/far")
        for name, address in found.addresses.items():
            tunnel = found.tunnel(f"{address}:18082", who("cart"))
            where = (found.served.place.gateway, 15008)
            async with through(where, tunnel) as (reader, writer, _):
                writer.write(b"hello\n")
                assert name.encode() in await asyncio.wait_for(reader.readuntil(b"\n"), 10)
        assert {each["peer_principal"] for each in await lines(log, 2)} == {NEAR}
        assert {each["peer_principal"] for each in await lines(own, 3)} == {who("cart")}


async def test_a_tunnel_is_enough_for_who_asks_for_the_meshs_tls(tmp_path: Path) -> None:
    mutual = rule("db.shop.svc.cluster.local", "trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}")
    async with mesh(tmp_path, more=mutual) as found:
        got = await found.served.to_vip(found.addresses["two"], 18080)
        assert pod(got) == "two"
