"""Envoys deployed on a real API server, which checks every field; and the bootstrap on Envoy."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from kube import assets
from kube.controllers import deploying
from kube.manifests import GATEWAY, SERVICE, gateway, namespace
from kube.waiting import deployed, happened, told
from serai.envoy.binary import find_envoy
from serai.envoy.bootstrap import HostPort
from serai.envoy.pod_bootstrap import pod_bootstrap
from serai.kube.access import MERGE_PATCH, Access
from serai.kube.deployment import LONGEST_NAME, RESOURCES, name_of
from serai.kube.ending import drain_path
from serai.kube.wire import Name


async def test_a_gateway_gets_envoys_that_are_its_own(api: assets.ApiServer, admin: Access) -> None:
    space = await namespace(admin, "deployed")
    async with deploying(api, space):
        await gateway(admin, space)
        found = await deployed(admin, space)
        uid = (await admin.read(GATEWAY, Name(space, "edge")) or {})["metadata"]["uid"]
        for each in found:
            assert [owner["uid"] for owner in each["metadata"]["ownerReferences"]] == [uid]
            assert each["metadata"]["labels"]["team"] == "edge"
        pod = found[3]["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert found[2]["spec"]["type"] == "LoadBalancer"
        status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}}
        await admin.patch(SERVICE, Name(space, "edge"), status, MERGE_PATCH, "status")
        async with asyncio.timeout(20):
            while not (await told(admin, GATEWAY, space, "edge", "addresses"))["addresses"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        (address,) = (await told(admin, GATEWAY, space, "edge", "addresses"))["addresses"]
        assert address["value"] == "192.0.2.7"


async def test_the_service_has_the_ports_of_the_listeners_and_no_others(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "ports")

    async def listening(*listeners: tuple[int, str]) -> None:
        found = [
            {"name": f"{protocol.lower()}-{port}", "port": port, "protocol": protocol}
            for port, protocol in listeners
        ]
        wanted = {"spec": {"listeners": found}}
        await admin.patch(GATEWAY, Name(space, "edge"), wanted, MERGE_PATCH)

    async def ports(*wanted: tuple[int, str]) -> None:
        async with asyncio.timeout(20):
            while True:
                found = await admin.read(SERVICE, Name(space, "edge")) or {"spec": {"ports": ()}}
                there = [(each["port"], each["protocol"]) for each in found["spec"]["ports"]]
                if there == list(wanted):
                    return
                await asyncio.sleep(0.05)

    async with deploying(api, space):
        await gateway(admin, space)
        await ports((80, "TCP"))
        await listening((53, "TCP"), (53, "UDP"), (80, "HTTP"))
        await ports((53, "TCP"), (53, "UDP"), (80, "TCP"))
        await listening((53, "UDP"), (8080, "HTTP"))
        await ports((53, "UDP"), (8080, "TCP"))


async def test_what_is_not_ours_is_left_alone(api: assets.ApiServer, admin: Access) -> None:
    space = await namespace(admin, "not-ours")
    theirs = {"metadata": {"name": "edge"}, "spec": {"ports": [{"port": 7777}]}}
    await admin.create(SERVICE, space, theirs)
    async with deploying(api, space):
        await gateway(admin, space)
        event = await happened(admin, space, "NotOwned")
        assert event["regarding"]["name"] == "edge"
        assert "Service edge" in event["note"]
        others = [each for each in RESOURCES if each != SERVICE]
        assert [await admin.read(each, Name(space, "edge")) for each in others] == [None] * 3
        service = await admin.read(SERVICE, Name(space, "edge"))
        assert service is not None
        assert [each["port"] for each in service["spec"]["ports"]] == [7777]


def test_long_names_stay_apart() -> None:
    one, other = "a" * 80 + "1", "a" * 80 + "2"
    assert name_of(one) != name_of(other)
    assert max(len(name_of(one)), len(name_of(other))) <= LONGEST_NAME
    assert name_of("edge") == "edge"


@pytest.mark.parametrize(
    "name", ["edge.v1", "1edge", "1." + "a.b-" * 60 + "c", "a" * 51 + ".b" * 9]
)
def test_a_service_can_be_named_so(name: str) -> None:
    assert re.fullmatch("[a-z]([-a-z0-9]{0,61}[a-z0-9])", name_of(name))
    assert name_of(name) != name_of(name.replace(".", "-") + "2")


async def test_a_gateway_with_dots_in_its_name_gets_envoys(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "dots")
    async with deploying(api, space):
        await gateway(admin, space, name="edge.v1")
        account, _, service, deployment = await deployed(admin, space, name_of("edge.v1"))
        label = {"gateway.networking.k8s.io/gateway-name": "edge.v1"}
        assert service["spec"]["selector"] == label
        assert label.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
        assert account["metadata"]["ownerReferences"][0]["name"] == "edge.v1"


def test_envoy_takes_the_bootstrap_of_a_pod(tmp_path: Path) -> None:
    binary, _ = find_envoy()
    assert binary is not None
    path = tmp_path / "bootstrap.json"
    xds, drain = HostPort("serai.serai-system.svc", 18000), drain_path("uid")
    path.write_text(pod_bootstrap("shop/edge", xds, drain))
    command = [str(binary.path), "--mode", "validate", "-c", str(path), "--service-node", "a.b"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
