"""VIPs that nobody wrote: a client gets through, and after a restart by the same address."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.mesh import mesh
from live.serving import Place, Served, eventually, pod, serving, workload
from serai.api.meta import Key
from serai.api.networking import ServiceEntry

pytestmark = pytest.mark.live


def entry(name: str, endpoint: str, status: str = "{}") -> str:
    return f"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: {name}, namespace: shop}}
        spec:
          hosts: [{name}.example.com]
          ports: [{{number: 8000, name: http, protocol: HTTP, targetPort: 3000}}]
          resolution: STATIC
          endpoints: [{{address: {endpoint}}}]
        status: {status}
        """


def vips(served: Served, name: str) -> list[str]:
    services = served.instance.core.pipeline.attached.catalog.services
    service = services.row(Key(ServiceEntry.__name__, "shop", name))
    return [each.cidr for each in service.addresses] if service else []


async def test_an_entry_without_addresses_is_reached_before_and_after_a_restart(
    tmp_path: Path,
) -> None:
    place = Place()
    one, two = place.address(), place.address()
    echoes = [workload(one, 3000, "pay-1"), workload(two, 3000, "early-1")]
    async with serving(
        tmp_path, {"mesh.yaml": mesh(place), "pay.yaml": entry("pay", one)}, echoes, place
    ) as served:
        [vip] = vips(served, "pay")
        assert vip.endswith(".129")
        assert pod(await served.to(vip, 8000)) == "pay-1"
        assert pod(await served.to_vip(vip, 8000)) == "pay-1"
    async with serving(tmp_path, {"early.yaml": entry("early", two)}, echoes, place) as served:
        assert vips(served, "pay") == [vip]
        assert vips(served, "early") != [vip]
        assert pod(await served.to(vip, 8000)) == "pay-1"
        assert pod(await served.to(vips(served, "early")[0], 8000)) == "early-1"


async def test_an_address_that_only_the_status_tells_is_served_at_once(tmp_path: Path) -> None:
    place = Place()
    one, given = place.address(), place.address()
    files = {"mesh.yaml": mesh(place), "pay.yaml": entry("pay", one)}
    async with serving(tmp_path, files, [workload(one, 3000, "pay-1")], place) as served:
        status = f"{{addresses: [{{value: {given}, host: pay.example.com}}]}}"
        served.write("pay.yaml", entry("pay", one, status))
        await eventually(lambda: served.to(given, 8000), lambda found: found.status == 200)
        assert pod(await served.to(given, 8000)) == "pay-1"
