"""HBONE at a waypoint: tunnels over mutual TLS, each with its own destination and identity."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from live.hbone import WAYPOINT, Mesh, lines, who
from live.serving import Place, answer, eventually, pod, request, serving, workload
from serai.api.problem import Problem
from serai.app.client.hbone import Tunnel, through
from serai.app.client.http import HttpAnswer
from serai.app.client.request import Asked, Outcome, ask
from serai.app.identity import Authority
from serai.trace import View
from serai.web.enter import WayIn, way_in

pytestmark = pytest.mark.live

NOBODY = "spiffe://cluster.local/ns/default/sa/default"
ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  hosts: [{name}.example]
  addresses: [{vip}]
  resolution: STATIC
  ports:
  - {{number: 80, name: http, protocol: HTTP, targetPort: 18080}}
  - {{number: 90, name: tcp, protocol: TCP, targetPort: 18090}}
  endpoints: [{{address: {endpoint}}}]
"""

HEADLESS = """
apiVersion: v1
kind: Service
metadata: {{name: db, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  clusterIP: None
  ports:
  - {{name: http, port: 80, targetPort: 18080, appProtocol: http}}
  - {{name: tcp, port: 90, targetPort: 18090, appProtocol: tcp}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: db-1, namespace: shop, labels: {{kubernetes.io/service-name: db}}}}
addressType: IPv4
ports: [{{name: http, port: 18080}}, {{name: tcp, port: 18090}}]
endpoints: [{{addresses: [{endpoint}]}}]
"""


@contextlib.asynccontextmanager
async def mesh(tmp_path: Path, services: int = 2, *, headless: bool = False) -> AsyncIterator[Mesh]:
    place = Place()
    files, endpoints = {"waypoint.yaml": WAYPOINT}, []
    if headless:
        address = place.address()
        files["headless.yaml"] = HEADLESS.format(endpoint=address)
        endpoints += [workload(address, 18080, "db"), workload(address, 18090, "db", tcp=True)]
    for index in range(services):
        address = place.address()
        name = f"s{index}"
        files[f"{name}.yaml"] = ENTRY.format(name=name, vip=f"240.7.0.{index}", endpoint=address)
        endpoints += [workload(address, 18080, name), workload(address, 18090, name, tcp=True)]
    async with serving(tmp_path, files, endpoints, place) as served:
        yield Mesh(served, tmp_path / "clients")


async def test_a_tunnel_leads_where_it_was_asked_for_with_its_callers_identity(
    tmp_path: Path,
) -> None:
    async with mesh(tmp_path) as found:
        log = found.log()
        assert pod(await found.ask(found.tunnel("240.7.0.0:80", who("cart")))) == "s0"
        assert pod(await found.ask(found.tunnel("240.7.0.1:80", who("cart")))) == "s1"
        assert isinstance(await found.ask(found.tunnel("240.7.0.9:80", who("cart"))), HttpAnswer)
        told = await lines(log, 3)
        assert {each["peer_principal"] for each in told} == {who("cart")}
        assert [each["response_code"] for each in told] == [200, 200, 404]


async def test_a_request_of_the_command_line_makes_its_own_certificate(tmp_path: Path) -> None:
    async with mesh(tmp_path) as found:
        pipeline, log = found.served.instance.core.pipeline, found.log()
        view = View(pipeline.attached, pipeline.translated)
        for as_, identity in (("shop/cart", who("cart")), ("", NOBODY)):
            asked = Asked(url="http://s1.example/", as_=as_, hbone=True)
            way = way_in(view, asked.question, {})
            assert isinstance(way, WayIn), way
            outcome = await ask(asked, way)
            assert isinstance(outcome, Outcome), outcome
            assert pod(outcome.answer) == "s1"
            assert (await lines(log, 1))[0]["peer_principal"] == identity


async def test_what_has_no_address_is_asked_for_by_name(tmp_path: Path) -> None:
    host = "db.shop.svc.cluster.local"
    async with mesh(tmp_path, headless=True) as found:
        assert pod(await found.ask(found.tunnel(f"{host}:80", who("cart")))) == "db"
        assert pod(await found.ask(found.tunnel("s1.example:80", who("cart")))) == "s1"
        other = await found.ask(found.tunnel(f"other.{host}:80", who("cart")))
        assert answer(other).status == 404
        pipeline = found.served.instance.core.pipeline
        view = View(pipeline.attached, pipeline.translated)
        asked = Asked(url=f"http://{host}/", hbone=True)
        way = way_in(view, asked.question, {})
        assert isinstance(way, WayIn), way
        outcome = await ask(asked, way)
        assert isinstance(outcome, Outcome), outcome
        assert pod(outcome.answer) == "db"
        tunnel = found.tunnel(f"{host}:90", who("cart"))
        async with through((found.served.place.gateway, 15008), tunnel) as (reader, writer, _):
            writer.write(b"hello\n")
            assert b"db" in await asyncio.wait_for(reader.readuntil(b"\n"), 10)


async def test_bytes_go_through_tunnels_too(tmp_path: Path) -> None:
    async with mesh(tmp_path) as found:
        tunnel = found.tunnel("240.7.0.1:90", who("cart"))
        async with through((found.served.place.gateway, 15008), tunnel) as (reader, writer, _):
            writer.write(b"hello\n")
            assert b"s1" in await asyncio.wait_for(reader.readuntil(b"\n"), 10)


async def test_a_header_does_not_choose_the_destination(tmp_path: Path) -> None:
    async with mesh(tmp_path) as found:
        asked = request("/", "x", x_serai_destination="240.7.0.1:80")
        assert pod(await found.ask(found.tunnel("240.7.0.0:80", who("cart")), asked)) == "s0"


async def test_certificates_of_others_are_refused(tmp_path: Path) -> None:
    async with mesh(tmp_path) as found:
        other = Authority(tmp_path / "other", "cluster.local")
        stranger = found.tunnel("240.7.0.0:80", who("cart"), other)
        foreign = found.tunnel("240.7.0.0:80", "spiffe://elsewhere/ns/shop/sa/cart")
        for tunnel in (stranger, foreign):
            refused = await found.ask(tunnel)
            assert isinstance(refused, Problem), refused
        anonymous = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anonymous.check_hostname = False
        anonymous.load_verify_locations(found.authority.root)
        anonymous.set_alpn_protocols(["h2"])
        reader, writer = await asyncio.open_connection(
            found.served.place.gateway, 15008, ssl=anonymous
        )
        told = b""
        with contextlib.suppress(OSError):
            told = await asyncio.wait_for(reader.read(1), 10)
        assert not told
        writer.transport.abort()


async def test_tunnels_of_one_waypoint_never_mix(tmp_path: Path) -> None:
    services, callers, rounds = 6, 4, 5
    async with mesh(tmp_path, services) as found:
        log = found.log()
        tunnels = [
            (index, caller, found.tunnel(f"240.7.0.{index}:80", who(f"c{caller}")))
            for index in range(services)
            for caller in range(callers)
        ]

        async def one(index: int, caller: int, tunnel: Tunnel) -> None:
            asked = request("/", f"c{caller}.s{index}")
            assert pod(await found.ask(tunnel, asked)) == f"s{index}"

        for _ in range(rounds):
            random.shuffle(tunnels)
            await asyncio.gather(*(one(*each) for each in tunnels))
        for line in await lines(log, rounds * len(tunnels)):
            caller, service = line["authority"].split(".")
            assert line["peer_principal"] == who(caller)
            assert line["downstream_local_address"] == f"240.7.0.{service[1:]}:80"


async def test_certificates_are_replaced_without_a_drop(tmp_path: Path) -> None:
    async with mesh(tmp_path) as found:
        tunnel = found.tunnel("240.7.0.0:80", who("cart"))
        gateway = (found.served.place.gateway, 15008)
        async with through(gateway, tunnel) as (reader, writer, _):
            before = await _serial(found, tunnel)
            found.authority.issue(found.waypoint, who("waypoint"), dt.timedelta(hours=1))

            async def ask() -> HttpAnswer | Problem:
                replaced = await _serial(found, tunnel) != before
                return await found.ask(tunnel, request("/" if replaced else "/old", "x"))

            good = await eventually(ask, lambda got: b'"path":"/"' in got.body.replace(b" ", b""))
            assert answer(good).status == 200
            writer.write(b"GET /kept HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b"200" in await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)


async def _serial(found: Mesh, tunnel: Tunnel) -> bytes:
    """The certificate that the waypoint shows."""
    context = ssl.create_default_context(cafile=tunnel.root)
    context.check_hostname = False
    context.load_cert_chain(tunnel.chain, tunnel.key)
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection(found.served.place.gateway, 15008, ssl=context)
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return shown
