"""What deploy/base installs: taken by a real API server, and enough to run on."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx2
import msgspec

from kube import assets
from kube.controllers import SETTINGS
from kube.installing import SPACE, install, token
from kube.manifests import GATEWAY, NAMESPACE, gateway, parameters
from kube.waiting import deployed, gone, happened, told, until, when
from live.envoys import free_port
from serai.app.controller import Controller, Options
from serai.kube.access import Access, ApiError
from serai.kube.deployment import Deployment
from serai.kube.scaling import AUTOSCALERS
from serai.kube.wire import Name


async def test_the_controller_needs_no_more_than_it_is_given(
    api: assets.ApiServer, admin: Access
) -> None:
    await install(admin)
    options = Options(
        xds="127.0.0.1:0",
        namespace=SPACE,
        identity="one",
        xds_host="serai.serai-system.svc",
        deployment=Deployment(image="envoy:1.40"),
    )
    one = Controller(api.access(token=await token(admin)), SETTINGS, options)
    task = asyncio.create_task(one.run())
    try:
        await until(lambda: not one.waiting_for() or task.done())
        await until(lambda: one.cluster.troubles() == {})
        assert await admin.read(NAMESPACE, Name("", SPACE)) is not None
        try:
            await admin.create(NAMESPACE, "", {"metadata": {"name": "least-privilege"}})
        except ApiError as error:
            assert error.status == 409, msgspec.json.encode(str(error))  # noqa: PT017
        scaled = {"horizontalPodAutoscaler": {"spec": {"maxReplicas": 3}}}
        own = await parameters(admin, "least-privilege", "own", kube=scaled)
        await gateway(admin, "least-privilege", parametersRef=own)
        await deployed(admin, "least-privilege")
        name = Name("least-privilege", "edge")
        await when(admin, AUTOSCALERS, name, bool)
        replicas = {"deployment": {"replicas": 2}}
        await parameters(admin, "least-privilege", "own", kube=replicas)
        await gone(admin, AUTOSCALERS, name)
        await happened(admin, SPACE, "LeaderElection")
        await until(lambda: one.deploying.troubles() == {})
        assert await told(admin, GATEWAY, "least-privilege", "edge", "listeners")
        assert one._leading()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_command_serves_until_it_is_told_to_end(api: assets.ApiServer) -> None:
    admin, port = free_port(), free_port()
    serai = str(Path(sys.executable).with_name("serai"))
    process = await asyncio.create_subprocess_exec(
        serai,
        *("controller", "--kubeconfig", str(api.kubeconfig_file())),
        *("--admin", f"127.0.0.1:{admin}", "--xds", "127.0.0.1:0", "--log-format", "json"),
        *("--probes", f":{port}"),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with httpx2.AsyncClient() as client, asyncio.timeout(30):
            while True:
                try:
                    answer = await client.get(f"http://127.0.0.1:{port}/readyz")
                except httpx2.HTTPError:
                    answer = None
                if answer is not None and answer.status_code == 200:
                    break
                await asyncio.sleep(0.1)
            # A kubelet and Prometheus ask by the Pod's address, and see no configuration.
            for host in ("127.0.0.1", "[::1]"):
                metrics = await client.get(f"http://{host}:{port}/metrics", headers={"host": "x"})
                assert 'serai_objects{kind="Namespace"}' in metrics.text
            alive = await client.get(f"http://127.0.0.1:{port}/healthz")
            assert alive.status_code == 200
            hidden = await client.get(f"http://127.0.0.1:{port}/api/v1/gateways")
            assert hidden.status_code == 404
        process.terminate()
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
