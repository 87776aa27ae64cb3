"""Policies on protocols whose server speaks first, as MySQL's does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from listening import listening
from live.hbone import WAYPOINT, Mesh, who
from live.serving import Place, serving
from serai.app.client.hbone import TunnelRefusedError, through
from serai.app.client.proxy_protocol import proxy_header

pytestmark = pytest.mark.live

SECONDS = 10.0
GREETING = b"\x4a\x00\x00\x00\x0a8.0.36\x00"
ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: db, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  hosts: [db.example]
  addresses: [240.23.1.1]
  resolution: STATIC
  ports: [{{number: 3306, name: mysql, protocol: TCP}}]
  endpoints: [{{address: {endpoint}}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: only-cart, namespace: shop}}
spec:
  action: {action}
  targetRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: db}}]
  rules:
  - from: [{{source: {{{field}: [cart]}}}}]
"""


class Database:
    """Greets whoever connects, and says nothing else."""

    def __init__(self) -> None:
        self.connections = 0

    async def greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(GREETING)
        with contextlib.suppress(OSError):
            await reader.read()
        writer.transport.abort()


@contextlib.asynccontextmanager
async def database(tmp_path: Path, action: str, field: str) -> AsyncIterator[tuple[Mesh, Database]]:
    place = Place()
    endpoint, greeter = place.address(), Database()
    files = {
        "waypoint.yaml": WAYPOINT,
        "db.yaml": ENTRY.format(endpoint=endpoint, action=action, field=field),
    }
    listens = listening(greeter.greet, endpoint, 3306)
    async with listens, serving(tmp_path, files, place=place) as served:
        yield Mesh(served, tmp_path / "clients"), greeter


async def heard(mesh: Mesh, caller: str, *, tunnelled: bool) -> bytes:
    """What a client hears that never says anything."""
    at = mesh.served.place.gateway
    if tunnelled:
        tunnel = mesh.tunnel("240.23.1.1:3306", who(caller))
        with contextlib.suppress(TunnelRefusedError):
            async with through((at, 15008), tunnel) as (inner, _, __):
                return await _first(inner)
        return b""
    reader, writer = await asyncio.open_connection(at, 15088)
    writer.write(proxy_header(("127.0.0.1", 1234), ("240.23.1.1", 3306), who(caller)))
    try:
        return await _first(reader)
    finally:
        writer.transport.abort()


async def _first(reader: asyncio.StreamReader) -> bytes:
    with contextlib.suppress(OSError):
        return await asyncio.wait_for(reader.read(100), SECONDS)
    return b""


@pytest.mark.parametrize("tunnelled", [False, True], ids=["PROXY", "HBONE"])
@pytest.mark.parametrize(
    ("action", "field"), [("ALLOW", "serviceAccounts"), ("DENY", "notServiceAccounts")]
)
async def test_who_may_call_is_greeted_and_who_may_not_is_closed(
    tmp_path: Path, action: str, field: str, *, tunnelled: bool
) -> None:
    """Neither waits for a byte of the client, and the server never hears of who may not call."""
    async with database(tmp_path, action, field) as (mesh, greeter):
        assert await heard(mesh, "cart", tunnelled=tunnelled) == GREETING
        assert await heard(mesh, "web", tunnelled=tunnelled) == b""
        assert greeter.connections == 1
