"""What anybody can say of himself gains him no identity; only what proves one does.

One service lets in everybody who has an identity, another keeps out who has none: both must treat
all of these callers as nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from live.hbone import WAYPOINT, Mesh, who
from live.serving import Place, answer, echoed, request, serving, workload
from serai.api.problem import Problem
from serai.app.client.hbone import TunnelRefusedError, through
from serai.app.client.proxy_protocol import SIGNATURE, proxy_header
from serai.model.settings import Settings

pytestmark = pytest.mark.live

SECONDS = 10.0
ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  hosts: [{name}.example]
  addresses: [{vip}]
  resolution: STATIC
  ports:
  - {{number: 18080, name: http, protocol: HTTP}}
  - {{number: 18090, name: tcp, protocol: TCP}}
  endpoints: [{{address: {endpoint}}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {name}, namespace: shop}}
spec:
  action: {action}
  targetRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: {name}}}]
  rules:
  - from: [{{source: {source}}}]
"""
EDGE = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge, namespace: shop}}
spec:
  gatewayClassName: serai
  addresses: [{{value: {address}}}]
  listeners: [{{name: web, port: 18480, protocol: HTTP}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: edge, namespace: shop}}
spec:
  parentRefs: [{{name: edge}}]
  rules:
  - backendRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: known, port: 18080}}]
"""
CLAIMS = {
    "x-forwarded-client-cert": f"By=spiffe://x;URI={who('cart')}",
    "x-serai-destination": "240.0.0.1:80",
    "io.istio.peer_principal": who("cart"),
    "x-envoy-peer-principal": who("cart"),
    "baggage": f"k8s.namespace.name=shop,principal={who('cart')}",
    "authorization": "Bearer e30.e30.e30",
}


HOW = {
    "known": ("ALLOW", '{principals: ["*"]}'),
    "not-nobody": ("DENY", '{notPrincipals: ["*"]}'),
    "only-cart": ("ALLOW", "{serviceAccounts: [cart]}"),
    "from-ten": ("ALLOW", "{ipBlocks: [10.1.0.0/16]}"),
    "from-here": ("ALLOW", "{ipBlocks: [127.0.0.1]}"),
}
"""Each service, and its policy."""


class Guarded:
    """Services on one waypoint, and a gateway beside it."""

    def __init__(self, mesh: Mesh, edge: str, vips: dict[str, str]) -> None:
        self.mesh, self.edge = mesh, edge
        self.vips = (vips["known"], vips["not-nobody"])
        self.only_cart, self.from_ten = vips["only-cart"], vips["from-ten"]
        self.from_here = vips["from-here"]

    @property
    def at(self) -> str:
        return self.mesh.served.place.gateway


@contextlib.asynccontextmanager
async def guarded(tmp_path: Path, settings: Settings | None = None) -> AsyncIterator[Guarded]:
    """Who may call each: see HOW."""
    place = Place()
    endpoint, edge = place.address(), place.address()
    vips = {name: place.address() for name in HOW}
    entries = [
        ENTRY.format(name=name, vip=vips[name], action=action, source=source, endpoint=endpoint)
        for name, (action, source) in HOW.items()
    ]
    files = {
        "waypoint.yaml": WAYPOINT,
        "edge.yaml": EDGE.format(address=edge),
        "entries.yaml": "---".join(entries),
    }
    echo = [workload(endpoint, 18080, "one"), workload(endpoint, 18090, "one", tcp=True)]
    async with serving(tmp_path, files, echo, place, settings) as served:
        yield Guarded(Mesh(served, tmp_path / "clients"), edge, vips)


async def said(at: tuple[str, int], *parts: bytes) -> bytes:
    """All that comes back for these bytes."""
    reader, writer = await asyncio.open_connection(*at)
    try:
        for part in parts:
            writer.write(part)
        with contextlib.suppress(OSError):
            return await asyncio.wait_for(reader.read(65536), SECONDS)
        return b""
    finally:
        writer.transport.abort()


GET = b"GET / HTTP/1.1\r\nhost: known.example\r\nconnection: close\r\n\r\n"


def plain(destination: str, port: int, tlvs: bytes = b"", command: int = 0x21) -> bytes:
    """A PROXY header with any TLVs."""
    body = bytes(map(int, f"127.0.0.1.{destination}".split(".")))
    body += struct.pack("!HH", 1234, port) + tlvs
    return SIGNATURE + struct.pack("!BBH", command, 0x11, len(body)) + body


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


async def test_headers_say_nothing_of_who_calls(tmp_path: Path) -> None:
    async with guarded(tmp_path) as found:
        served = found.mesh.served
        for vip in found.vips:
            for asked in (_as_names(CLAIMS), {}):
                assert answer(await served.to_vip(vip, 18080, **asked)).status == 403
                assert answer(await served.to(vip, 18080, **asked)).status == 403
            told = echoed(await served.to_vip(vip, 18080, as_=who("cart"), **_as_names(CLAIMS)))
            names = {name.lower() for name in told["headers"]}
            assert not names & {"x-forwarded-client-cert", "x-serai-destination"}
        edge = answer(await served.to(found.edge, 18480, **_as_names(CLAIMS)))
        assert edge.status == 403


def _as_names(claims: dict[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in claims.items()}


@pytest.mark.parametrize(
    "tlvs",
    [
        b"",
        tlv(0xD0, b""),
        tlv(0xD1, who("cart").encode()),
        tlv(0xE0, who("cart").encode()),
        tlv(0x02, who("cart").encode()),
    ],
    ids=["none", "empty", "host", "custom", "authority"],
)
async def test_without_its_tlv_a_proxy_header_tells_of_nobody(tmp_path: Path, tlvs: bytes) -> None:
    async with guarded(tmp_path) as found:
        for vip in found.vips:
            told = await said((found.at, 15088), plain(vip, 18080, tlvs) + GET)
            assert not told or b" 403 " in told.split(b"\r\n")[0], told
            bytes_told = await said((found.at, 15088), plain(vip, 18090, tlvs) + b"hello\n")
            assert b"one" not in bytes_told
        proof = tlv(0xD0, who("cart").encode())
        assert b" 200 " in await said((found.at, 15088), plain(found.vips[0], 18080, proof) + GET)


async def test_a_text_header_and_one_of_the_proxys_own_tell_of_nobody(tmp_path: Path) -> None:
    async with guarded(tmp_path) as found:
        vip = found.vips[0]
        text = f"PROXY TCP4 127.0.0.1 {vip} 1234 18080\r\n".encode()
        proof = tlv(0xD0, who("cart").encode())
        for head in (text, plain(vip, 18080, proof, command=0x20), b""):
            told = await said((found.at, 15088), head + GET)
            assert b" 200 " not in told.split(b"\r\n")[0], told


async def test_a_proxy_header_where_none_is_read_is_no_request(tmp_path: Path) -> None:
    """At a VIP on loopback, at a gateway, and where HBONE is spoken."""
    async with guarded(tmp_path) as found:
        vip = found.vips[0]
        head = proxy_header(("127.0.0.1", 1234), (vip, 18080), who("cart"))
        for at in ((vip, 18080), (found.edge, 18480), (found.at, 15008)):
            told = await said(at, head + GET)
            assert b" 200 " not in told, told
        assert b"one" not in await said((vip, 18090), head + b"hello\n")


async def test_inside_a_tunnel_the_certificate_alone_says_who_calls(tmp_path: Path) -> None:
    async with guarded(tmp_path) as found:
        mesh, claims = found.mesh, request("/", "x", **_as_names(CLAIMS))
        for name, status in (("cart", 200), ("web", 403)):
            tunnel = mesh.tunnel(f"{found.only_cart}:18080", who(name))
            assert answer(await mesh.ask(tunnel, claims)).status == status
        with pytest.raises(TunnelRefusedError):
            async with through(
                (found.at, 15008), mesh.tunnel(f"{found.only_cart}:18090", who("web"))
            ):
                pass
        # What looks like a PROXY header there is for the endpoint.
        head = plain(found.only_cart, 18080, tlv(0xD0, who("web").encode()))
        tunnel = mesh.tunnel(f"{found.only_cart}:18090", who("cart"))
        async with through((found.at, 15008), tunnel) as (reader, writer, _):
            writer.write(head + b"hello\n")
            assert b"one" in await asyncio.wait_for(reader.read(100), SECONDS)


async def test_an_address_is_the_connections_and_not_a_headers(tmp_path: Path) -> None:
    async with guarded(tmp_path) as found:
        asked = GET.replace(b"\r\n\r\n", b"\r\nx-forwarded-for: 10.1.2.3\r\n\r\n")
        for source, status in (("10.1.2.3", b" 200 "), ("10.2.2.3", b" 403 ")):
            head = proxy_header((source, 1234), (found.from_ten, 18080))
            assert status in await said((found.at, 15088), head + asked)
        assert b" 403 " in await said((found.from_ten, 18080), asked)
        for vip, code in ((found.from_ten, 403), (found.from_here, 200)):
            tunnel = found.mesh.tunnel(f"{vip}:18080", who("cart"))
            asking = request("/", "x", x_forwarded_for="10.1.2.3")
            assert answer(await found.mesh.ask(tunnel, asking)).status == code


async def test_another_trust_domain_is_refused_and_a_former_name_of_ours_is_not(
    tmp_path: Path,
) -> None:
    """The authority would vouch for either: only what the identity says differs."""
    settings = Settings(trust_domain="corp.example", trust_domain_aliases=("former.example",))
    async with guarded(tmp_path, settings) as found:
        mesh = found.mesh
        for domain, taken in (
            ("corp.example", True),
            ("former.example", True),
            ("cluster.local", False),
            ("corp.example.evil", False),
            ("elsewhere.example", False),
        ):
            tunnel = mesh.tunnel(f"{found.vips[0]}:18080", f"spiffe://{domain}/ns/shop/sa/cart")
            told = await mesh.ask(tunnel)
            if taken:
                assert answer(told).status == 200, domain
            else:
                assert isinstance(told, Problem), domain
