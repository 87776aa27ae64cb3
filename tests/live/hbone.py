"""A waypoint that takes HBONE, and a client of the mesh that comes by it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import msgspec

from live.serving import Served, request
from serai.api.problem import Problem
from serai.app.client.hbone import Tunnel
from serai.app.client.http import Entry, HttpAnswer, HttpRequest
from serai.app.identity import Authority
from serai.envoy.logfile import Tail

WAYPOINT = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop}
spec:
  gatewayClassName: serai-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
"""


class Mesh:
    """A waypoint being served, and clients with certificates."""

    def __init__(self, served: Served, folder: Path) -> None:
        identities = served.instance.identities
        assert identities is not None
        self.served = served
        self.authority = Authority(identities.authority_folder, "cluster.local")
        self.waypoint = identities.folder / "shop/waypoint"
        self._folder = folder

    def log(self) -> Tail:
        fleet = self.served.instance.fleet
        assert fleet is not None
        return Tail(Path(fleet.statuses()[0].access_log))

    def tunnel(self, to: str, identity: str, authority: Authority | None = None) -> Tunnel:
        folder = self._folder / f"{random.getrandbits(64):x}"
        (authority or self.authority).issue(folder, identity)
        root = str(self.authority.root)
        return Tunnel(
            authority=to, chain=f"{folder}/cert-chain.pem", key=f"{folder}/key.pem", root=root
        )

    def to(self, tunnel: Tunnel, authority: str) -> Tunnel:
        """The same caller to another place."""
        return msgspec.structs.replace(tunnel, authority=authority)

    async def ask(self, tunnel: Tunnel, asked: HttpRequest | None = None) -> HttpAnswer | Problem:
        entry = Entry(connect=(self.served.place.gateway, 15008), tunnel=tunnel)
        return await self.served.ask(entry, asked or request("/", "x"))


async def lines(log: Tail, count: int) -> list[dict[str, Any]]:
    """That many lines of an access log."""
    found: list[str] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            found += log.read()
            await asyncio.sleep(0.05)
    return [msgspec.json.decode(line) for line in found]


def who(name: str) -> str:
    return f"spiffe://cluster.local/ns/shop/sa/{name}"


GATEWAYS = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: near, namespace: shop}}
spec:
  gatewayClassName: serai-waypoint
  listeners: [{{name: mesh, port: 15008, protocol: HBONE}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: far, namespace: shop}}
spec:
  gatewayClassName: serai-waypoint
  addresses: [{{type: IPAddress, value: {far}}}]
  listeners: [{{name: mesh, port: 15008, protocol: HBONE}}]
"""


INSIDE = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: inside, namespace: shop, labels: {{istio.io/use-waypoint: far}}}}
spec:
  hosts: [inside.example]
  addresses: [{far}]
  resolution: STATIC
  ports:
  - {{number: 18080, name: http, protocol: HTTP, targetPort: 18081}}
  endpoints: [{{address: {endpoint}}}]
"""
