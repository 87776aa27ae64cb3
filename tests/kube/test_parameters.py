"""Envoys deployed as GatewayParameters ask, on a real API server; a real Envoy of such a Pod."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import msgspec

from kube import assets
from kube.controllers import deploying
from kube.manifests import (
    CLASS,
    CONFIG_MAP,
    DEPLOYMENT,
    GATEWAY,
    SERVICE,
    Json,
    gateway,
    namespace,
    parameters,
)
from kube.waiting import gone, happened, told, when
from live.envoys import free_port
from serai.envoy.binary import find_envoy
from serai.kube.access import MERGE_PATCH, Access
from serai.kube.scaling import AUTOSCALERS, BUDGETS
from serai.kube.wire import Name


async def test_a_gateway_and_its_class_say_how_it_is_deployed(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "parameters")
    below = await parameters(
        admin,
        space,
        "below",
        kube={"deployment": {"replicas": 2}, "service": {"type": "NodePort"}},
    )
    own = await parameters(
        admin,
        space,
        "own",
        kube={
            "envoyContainer": {"image": {"tag": "v9"}},
            "service": {"ports": [{"port": 80, "nodePort": 30777}]},
        },
    )
    name = f"class-{space}"
    spec = {"controllerName": "serai.dev/gateway-controller"}
    spec["parametersRef"] = {**below, "namespace": space}  # type: ignore[assignment]
    await admin.apply(CLASS, Name("", name), {"metadata": {"name": name}, "spec": spec})
    async with deploying(api, space):
        await gateway(admin, space, class_name=name, parametersRef=own)
        deployment = await when(admin, DEPLOYMENT, Name(space, "edge"), bool)
        assert deployment["spec"]["replicas"] == 2
        (envoy,) = deployment["spec"]["template"]["spec"]["containers"]
        assert envoy["image"] == "envoy:v9"
        service = await when(admin, SERVICE, Name(space, "edge"), bool)
        assert service["spec"]["type"] == "NodePort"
        assert service["spec"]["ports"][0]["nodePort"] == 30777
        await parameters(admin, space, "below", kube={"deployment": {"replicas": 5}})
        await when(
            admin, DEPLOYMENT, Name(space, "edge"), lambda found: found["spec"]["replicas"] == 5
        )
        await when(
            admin, SERVICE, Name(space, "edge"), lambda it: it["spec"]["type"] == "LoadBalancer"
        )
    await admin.delete(CLASS, Name("", name))


async def test_an_overlay_that_leaves_nothing_ends_nothing(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "nothing")
    name = Name(space, "edge")
    async with deploying(api, space) as one:
        await gateway(admin, space, parametersRef=await parameters(admin, space, "own", kube={}))
        await when(admin, DEPLOYMENT, name, bool)
        nothing = {"spec": {"$patch": "delete"}}
        overlays = {"deploymentOverlay": nothing, "serviceAccountOverlay": nothing}
        await parameters(admin, space, "own", kube=overlays)
        await when(admin, GATEWAY, name, lambda it: "spec.selector" in str(it["status"]))
        await parameters(admin, space, "own", kube={"deployment": {"replicas": 3}})
        await when(admin, DEPLOYMENT, name, lambda found: found["spec"]["replicas"] == 3)
        assert not one.waiting_for()


async def test_what_scales_comes_and_goes_and_the_number_of_pods_stays(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "scales")
    own = await parameters(admin, space, "own", kube={"deployment": {"replicas": 4}})
    async with deploying(api, space):
        await gateway(admin, space, parametersRef=own)
        name = Name(space, "edge")
        await when(admin, DEPLOYMENT, name, lambda found: found["spec"]["replicas"] == 4)
        scaler = {"spec": {"minReplicas": 2, "maxReplicas": 9}}
        budget = {"spec": {"maxUnavailable": 1}}
        await parameters(
            admin,
            space,
            "own",
            kube={"horizontalPodAutoscaler": scaler, "podDisruptionBudget": budget},
        )
        found = await when(admin, AUTOSCALERS, name, bool)
        assert found["spec"]["scaleTargetRef"]["name"] == "edge"
        uid = (await admin.read(GATEWAY, name) or {})["metadata"]["uid"]
        assert found["metadata"]["ownerReferences"][0]["uid"] == uid
        await when(admin, BUDGETS, name, bool)
        deployment = await admin.read(DEPLOYMENT, name) or {}
        assert deployment["spec"]["replicas"] == 4, "it did not fall back to one"
        # As the autoscaler does it; nobody takes it back.
        await admin.patch(DEPLOYMENT, name, {"spec": {"replicas": 7}}, MERGE_PATCH, "scale")
        await parameters(admin, space, "own", kube={"horizontalPodAutoscaler": scaler})
        await gone(admin, BUDGETS, name)
        deployment = await admin.read(DEPLOYMENT, name) or {}
        assert deployment["spec"]["replicas"] == 7
        await parameters(admin, space, "own", kube={"deployment": {"replicas": 3}})
        await gone(admin, AUTOSCALERS, name)
        await when(admin, DEPLOYMENT, name, lambda found: found["spec"]["replicas"] == 3)


async def test_parameters_that_cannot_be_used_leave_what_is_there(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "unusable")
    own = await parameters(admin, space, "own", kube={"deployment": {"replicas": 2}})
    async with deploying(api, space):
        await gateway(admin, space, parametersRef=own)
        name = Name(space, "edge")
        await when(admin, DEPLOYMENT, name, lambda found: found["spec"]["replicas"] == 2)
        await parameters(
            admin,
            space,
            "own",
            kube={
                "deployment": {"replicas": 9},
                "service": {"type": "ClusterIP", "externalTrafficPolicy": "Local"},
            },
        )

        def says(found: Json) -> bool:
            conditions = found.get("status", {}).get("conditions", ())
            return any(
                each["reason"] == "InvalidParameters"
                and "spec.kube.service.externalTrafficPolicy" in each["message"]
                for each in conditions
            )

        await when(admin, GATEWAY, name, says)
        assert (await admin.read(DEPLOYMENT, name) or {})["spec"]["replicas"] == 2


async def test_nothing_is_deployed_for_who_manages_itself(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "self-managed")
    own = await parameters(admin, space, "own", selfManaged={})
    async with deploying(api, space):
        await gateway(admin, space, parametersRef=own)
        assert await told(admin, GATEWAY, space, "edge", "listeners")
        assert await admin.read(CONFIG_MAP, Name(space, "edge")) is None
        await parameters(admin, space, "own", kube={})
        await when(admin, DEPLOYMENT, Name(space, "edge"), bool)


async def test_what_the_api_server_does_not_take_is_told(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "not-taken")
    own = await parameters(
        admin, space, "own", kube={"deploymentOverlay": {"spec": {"replicas": "many"}}}
    )
    async with deploying(api, space):
        await gateway(admin, space, parametersRef=own)
        event = await happened(admin, space, "DeployFailed")
        assert event["type"] == "Warning"
        assert event["regarding"]["kind"] == "Gateway"
        assert "replicas" in event["note"]

        def says(found: Json, words: str) -> bool:
            conditions = found.get("status", {}).get("conditions", ())
            return any(
                each["type"] == "Programmed" and words in each["message"] for each in conditions
            )

        name = Name(space, "edge")
        await when(admin, GATEWAY, name, lambda found: says(found, "could not be deployed"))
        await parameters(admin, space, "own", kube={"deployment": {"replicas": 1}})
        await when(admin, GATEWAY, name, lambda found: not says(found, "could not be deployed"))


@asynccontextmanager
async def running(
    pod: Json, files: dict[str, str], ports: dict[int, int], folder: Path
) -> AsyncIterator[None]:
    """The container of a Pod on this machine, with the ports that are its own on free ones."""
    binary, _ = find_envoy()
    assert binary is not None
    (container,) = pod["containers"]
    for file, content in files.items():
        found = content
        for port, free in ports.items():
            found = found.replace(f": {port}", f": {free}").replace(f":{port}", f":{free}")
        (folder / file).write_text(found)
    known = {"POD_NAME": "edge-1", "NAMESPACE": "shop", "POD": "edge-1.shop"}
    args = [each.replace("/etc/envoy", str(folder)) for each in container["args"]]
    for name, value in known.items():
        args = [each.replace(f"$({name})", value) for each in args]
    env = {**os.environ, **{each["name"]: each.get("value", "") for each in container["env"]}}
    with (folder / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(binary.path), *args, stdout=log, stderr=log, env=env
        )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def test_an_envoy_of_such_a_pod_becomes_ready_and_logs_as_asked(
    api: assets.ApiServer, admin: Access, tmp_path: Path
) -> None:
    space = await namespace(admin, "real-envoy")
    own = await parameters(
        admin,
        space,
        "own",
        kube={
            "envoyContainer": {
                "bootstrap": {
                    "logLevel": "warn",
                    "componentLogLevels": {"upstream": "debug"},
                    "logFormat": {"json": {"said": "%j", "level": "%l", "by": "%n"}},
                    "dnsResolver": {"udpMaxQueries": 100},
                    "enableReadinessProbeProxyProtocol": True,
                },
                "extraArgs": ["--concurrency", "1"],
            }
        },
    )
    async with deploying(api, space, xds_host="127.0.0.1"):
        await gateway(admin, space, parametersRef=own)
        deployment = await when(admin, DEPLOYMENT, Name(space, "edge"), bool)
        config_map = await when(admin, CONFIG_MAP, Name(space, "edge"), bool)
        ready = free_port()
        ports = {15021: ready, 15000: free_port()}
        pod = deployment["spec"]["template"]["spec"]
        async with running(pod, config_map["data"], ports, tmp_path), asyncio.timeout(30):
            async with httpx2.AsyncClient() as client:
                while True:
                    try:
                        answer = await client.get(f"http://127.0.0.1:{ready}/ready")
                    except httpx2.HTTPError:
                        answer = None
                    if answer is not None and answer.status_code == 200:
                        break
                    await asyncio.sleep(0.1)
            # A load balancer that begins with the PROXY protocol is answered too.
            reader, writer = await asyncio.open_connection("127.0.0.1", ready)
            writer.write(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
            writer.write(b"GET /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert b" 200 " in await reader.readline()
            writer.close()
    log = [line for line in (tmp_path / "envoy.log").read_text().splitlines() if line]
    assert log
    said = [msgspec.json.decode(line) for line in log]
    assert {each["by"] for each in said if each["level"] in {"debug", "info"}} == {"upstream"}
