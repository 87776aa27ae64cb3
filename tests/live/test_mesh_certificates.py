"""DestinationRules with tls.mode ISTIO_MUTUAL: the mesh's certificates, outside of tunnels."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from live.mesh import mesh
from live.serving import Place, echoed, eventually, pod, serving, workload
from live.tls_echo import echo_over
from live.worlds import edge, rule
from serai.app.identity import CHAIN, KEY, Authority

pytestmark = pytest.mark.live

HOST = "db.example"
PORT = "{group: networking.istio.io, kind: ServiceEntry, name: db, port: 80}"
MUTUAL = rule(HOST, "trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}")


def entry(endpoint: str, more: str = "", sans: str = "") -> str:
    return f"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: db, namespace: shop}}
        spec:
          hosts: [{HOST}]
          addresses: [240.0.0.7]
          ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 4443}}]
          resolution: STATIC
          subjectAltNames: [{sans}]
          endpoints: [{{address: {endpoint}{more}}}]
        """


@contextlib.asynccontextmanager
async def member(
    authority: Authority, folder: Path, address: str, identity: str
) -> AsyncIterator[list[str]]:
    """A workload of the mesh that speaks TLS itself, and only with others of the mesh."""
    authority.issue(folder, identity)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / CHAIN, folder / KEY)
    context.load_verify_locations(authority.root)
    context.verify_mode = ssl.CERT_REQUIRED
    async with echo_over(context, address, 4443) as names:
        yield names


async def test_both_sides_prove_who_they_are_with_the_meshs_certificates(tmp_path: Path) -> None:
    place = Place()
    one, two = place.address(), place.address()
    files = {"edge.yaml": edge(place, PORT), "entry.yaml": entry(one), "rule.yaml": MUTUAL}
    async with serving(tmp_path, files, [], place) as served:

        async def ask() -> Any:
            return await served.to(place.gateway, 8080)

        identities = served.instance.identities
        assert identities is not None
        authority = Authority(identities.authority_folder, "cluster.local")
        ours, theirs = (authority.identity(each, "db") for each in ("shop", "other"))
        async with (
            member(authority, tmp_path / "ours", one, ours),
            member(authority, tmp_path / "theirs", two, theirs) as reached,
        ):
            found = await eventually(ask, lambda found: found.status == 200)
            assert echoed(found) == {
                "sni": f"outbound_.80_._.{HOST}",
                "host": "x",
                "client": "spiffe://cluster.local/ns/shop/sa/edge",
            }

            # Of another namespace nobody is expected, unless the entry says so.
            served.write("entry.yaml", entry(two))
            await eventually(ask, lambda found: found.status == 503)
            async with asyncio.timeout(10):
                while not reached:
                    await ask()
            served.write("entry.yaml", entry(two, sans=theirs))
            await eventually(ask, lambda found: found.status == 200)


async def test_at_a_waypoint_endpoints_in_the_mesh_are_left_to_the_ztunnel(tmp_path: Path) -> None:
    """Istio's waypoints ignore ISTIO_MUTUAL: a tunnel has the mesh's TLS already."""
    place = Place()
    one, two = place.address(), place.address()
    inside = ", labels: {networking.istio.io/tunnel: http}"
    files = {"mesh.yaml": mesh(place), "entry.yaml": entry(one, inside), "rule.yaml": MUTUAL}
    both = [workload(one, 4443, "one"), workload(two, 4443, "two")]
    async with serving(tmp_path, files, both, place) as served:

        async def ask() -> Any:
            return await served.to_vip("240.0.0.7", 80)

        # Its own certificate has to come first.
        assert pod(await eventually(ask, lambda found: found.status == 200)) == "one"

        served.write("entry.yaml", entry(two))
        await eventually(ask, lambda found: found.status == 503)

        served.write("rule.yaml", rule(HOST, "trafficPolicy: {}"))
        await eventually(ask, lambda found: found.status == 200)
