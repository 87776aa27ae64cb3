"""Two Envoys of one Gateway in different zones, and what each makes of the same endpoints."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from live.serving import Place, Served, pod, serving, workload
from serai.envoy.binary import find_envoy
from serai.envoy.bootstrap import BootstrapSettings, UnixSocket, bootstrap, render
from serai.envoy.fleet import Fleet
from serai.envoy.launch import GatewaySpec
from serai.envoy.state import Instance, claim
from serai.ir.cluster import Locality
from serai.ir.viewpoint import Viewpoint
from serai.model.settings import Settings
from serai.views.endpoints import endpoint_rows
from serai.views.preferences import preferences_in_words

pytestmark = pytest.mark.live

VIP, PORT = "240.61.9.1", 8000
GATEWAY = "shop/waypoint"
SECONDS = 10.0

MESH = """
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: waypoint, namespace: shop}
    spec:
      gatewayClassName: serai-waypoint
      listeners: [{name: proxy, port: 15088, protocol: istio.io/PROXY}]
    """


def entry(*endpoints: tuple[str, str]) -> str:
    listed = "".join(f"\n      - {{address: {ip}, locality: {zone}}}" for ip, zone in endpoints)
    return f"""
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata:
      name: close
      namespace: shop
      labels: {{istio.io/use-waypoint: waypoint}}
      annotations: {{networking.istio.io/traffic-distribution: PreferClose}}
    spec:
      hosts: [close.example]
      addresses: [{VIP}]
      ports: [{{number: {PORT}, name: http, protocol: HTTP, targetPort: 3000}}]
      resolution: STATIC
      endpoints:{listed}
    """


@asynccontextmanager
async def another(served: Served, state: Path, viewpoint: Viewpoint) -> AsyncIterator[Fleet]:
    """One more Envoy of the Gateway; it listens where the first does."""
    instance, (binary, _) = claim(state, [served.folder]), find_envoy()
    assert isinstance(instance, Instance)
    assert binary is not None
    fleet = Fleet(binary, instance, bind_life=True)
    settings = BootstrapSettings(
        gateway=GATEWAY,
        node_id="another",
        xds=UnixSocket(str(served.instance.instance.xds_socket)),
        viewpoint=viewpoint,
    )
    try:
        await fleet.ensure({GATEWAY: GatewaySpec(bootstrap=render(bootstrap(settings)))})
        async with asyncio.timeout(SECONDS):
            await fleet.wait_ready()
        yield fleet
    finally:
        await fleet.stop(drain=False)


async def priorities(fleet: Fleet | None) -> dict[str, int]:
    """What an Envoy itself says of each endpoint's zone."""
    assert fleet is not None
    [status] = fleet.statuses()
    url = f"http://{status.admin}/config_dump?include_eds"
    body = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read())
    return {
        each["locality"]["zone"]: each.get("priority", 0)
        for part in json.loads(body)["configs"]
        for one in part.get("dynamic_endpoint_configs", ())
        for each in one["endpoint_config"].get("endpoints", ())
    }


async def become(fleet: Fleet | None, wanted: dict[str, int]) -> None:
    found: dict[str, int] = {}
    try:
        async with asyncio.timeout(SECONDS):
            while (found := await priorities(fleet)) != wanted:  # noqa: ASYNC110  it is Envoy's
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"never {wanted}, but {found}") from None


async def test_each_envoy_sends_to_its_own_zone_and_none_fails_as_zones_go_and_come(
    tmp_path: Path,
) -> None:
    place = Place()
    a, b = place.address(), place.address()
    both = entry((a, "eu/a"), (b, "eu/b"))
    echoes = [workload(a, 3000, "a"), workload(b, 3000, "b")]
    files = {"mesh.yaml": MESH, "close.yaml": both}
    settings = Settings(locality="eu/a")
    async with (
        serving(tmp_path, files, echoes, place, settings) as served,
        another(served, tmp_path / "other", Viewpoint(Locality("eu", "b"))) as other,
    ):
        ours = served.instance.fleet
        await become(ours, {"a": 0, "b": 1})
        await become(other, {"a": 1, "b": 0})
        rows = await served.instance.read(endpoint_rows)
        shown = {each.locality: preferences_in_words(each.priorities) for each in rows}
        assert shown == {"eu/a": "eu/a: 0, eu/b: 1", "eu/b": "eu/a: 1, eu/b: 0"}

        answers: list[str] = []
        asking = asyncio.create_task(keep_asking(served, answers))
        await asyncio.sleep(0.5)
        before = set(answers)
        served.write("close.yaml", entry((b, "eu/b")))
        await become(ours, {"b": 0})
        await become(other, {"b": 0})
        await asked_anew(answers)
        without = set(answers)
        served.write("close.yaml", both)
        await become(ours, {"a": 0, "b": 1})
        await become(other, {"a": 1, "b": 0})
        await asked_anew(answers)
        after = set(answers)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert asking.cancelled(), asking.exception()

    # Connections are spread over both Envoys, and each answers from its own zone.
    assert before == {"a", "b"}
    assert without == {"b"}
    assert after == {"a", "b"}


async def asked_anew(answers: list[str]) -> None:
    """Only answers to requests that began after Envoy's threads had the change too."""
    await asyncio.sleep(0.3)
    answers.clear()
    await asyncio.sleep(0.5)


async def keep_asking(served: Served, answers: list[str]) -> None:
    """Requests without end, each over a new connection; `pod` fails on any that fails."""
    while True:
        answers.append(pod(await served.to_vip(VIP, PORT, host="close.example")))


async def test_zone_aware_policies_count_as_they_change(tmp_path: Path) -> None:
    place = Place()
    a, b = place.address(), place.address()

    def policy(least: int) -> str:
        return f"""
            apiVersion: gateway.kgateway.dev/v1alpha1
            kind: BackendConfigPolicy
            metadata: {{name: close, namespace: shop}}
            spec:
              targetRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: close}}]
              loadBalancer:
                roundRobin: {{}}
                zoneAware: {{preferLocal: {{minEndpointsThreshold: {least}}}}}
            """

    alike = entry((a, "eu/a"), (b, "eu/b")).replace("PreferClose", "Any")
    echoes = [workload(a, 3000, "a"), workload(b, 3000, "b")]
    files = {"mesh.yaml": MESH, "close.yaml": alike, "policy.yaml": policy(3)}
    async with serving(tmp_path, files, echoes, place, Settings(locality="eu/a")) as served:

        async def answering() -> set[str]:
            return {pod(await served.to_vip(VIP, PORT)) for _ in range(12)}

        assert await answering() == {"a", "b"}
        served.write("policy.yaml", policy(2))
        await become(served.instance.fleet, {"a": 0, "b": 1})
        assert await answering() == {"a"}
        served.write("policy.yaml", policy(3))
        await become(served.instance.fleet, {"a": 0, "b": 0})
        assert await answering() == {"a", "b"}
