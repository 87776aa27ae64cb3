"""Endpoints in the mesh are reached by tunnels, and must prove their identities."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from live.hbone import GATEWAYS, INSIDE, lines
from live.serving import Place, Served, answer, pod, serving, workload
from live.worlds import rule
from serai.envoy.logfile import Tail

pytestmark = pytest.mark.live

OUTSIDE = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: outside
  namespace: shop
  labels: {{istio.io/use-waypoint: near, networking.istio.io/tunnel: {tunnel}}}
spec:
  hosts: [outside.example]
  addresses: [240.4.0.1]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 18080}}]
  endpoints: [{{address: {far}, serviceAccount: {account}}}]
"""


async def test_an_endpoint_in_the_mesh_gets_a_tunnel(tmp_path: Path) -> None:
    async with far_endpoint(tmp_path, tunnel="http", account="far") as served:
        log = _log(served, "shop/far")
        assert pod(await served.to_vip("240.4.0.1", 80)) == "end"
        line = (await lines(log, 1))[0]
        assert line["peer_principal"] == "spiffe://cluster.local/ns/shop/sa/near"
        assert line["downstream_local_address"].endswith(":18080")


async def test_an_endpoint_that_is_somebody_else_gets_nothing(tmp_path: Path) -> None:
    async with far_endpoint(tmp_path, tunnel="http", account="somebody-else") as served:
        assert answer(await served.to_vip("240.4.0.1", 80)).status == 503


async def test_an_endpoint_outside_the_mesh_is_connected_to_as_it_is(tmp_path: Path) -> None:
    async with far_endpoint(tmp_path, tunnel="none", account="somebody-else") as served:
        log = _log(served, "shop/far")
        assert pod(await served.to_vip("240.4.0.1", 80)) == "end"
        # It is the VIP on loopback, where nobody has an identity.
        assert (await lines(log, 1))[0]["peer_principal"] is None


async def test_a_tunnel_is_enough_for_who_asks_for_the_meshs_tls(tmp_path: Path) -> None:
    """DestinationRule, tls.mode ISTIO_MUTUAL: there is no second TLS inside a tunnel."""
    mutual = rule("outside.example", "trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}")
    async with far_endpoint(tmp_path, tunnel="http", account="far", more=mutual) as served:
        log = _log(served, "shop/far")
        assert pod(await served.to_vip("240.4.0.1", 80)) == "end"
        assert (await lines(log, 1))[0]["peer_principal"].endswith("/sa/near")


@contextlib.asynccontextmanager
async def far_endpoint(
    tmp_path: Path, *, tunnel: str, account: str, more: str = ""
) -> AsyncIterator[Served]:
    """A second waypoint is the endpoint's ztunnel here: it is at the endpoint's address."""
    place = Place()
    far, endpoint = place.address(), place.address()
    files = {
        "gateways.yaml": GATEWAYS.format(far=far),
        "inside.yaml": INSIDE.format(far=far, endpoint=endpoint),
        "outside.yaml": OUTSIDE.format(far=far, tunnel=tunnel, account=account),
        "more.yaml": more,
    }
    async with serving(tmp_path, files, [workload(endpoint, 18081, "end")], place) as served:
        yield served


def _log(served: Served, gateway: str) -> Tail:
    fleet = served.instance.fleet
    assert fleet is not None
    return Tail(Path(next(each.access_log for each in fleet.statuses() if each.gateway == gateway)))
