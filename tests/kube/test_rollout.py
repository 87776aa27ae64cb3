"""Envoys replaced one after the other, as their Deployment does it: no request fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kube import assets
from kube.controllers import answering
from kube.manifests import GATEWAY, entry, gateway_class, head, namespace, route
from kube.pods import Network, Pod
from kube.traffic import Balancer, Traffic
from kube.waiting import deployed, until
from live.namespaces import cannot
from serai.app.controller import Controller, Options
from serai.kube.access import Access
from serai.kube.deployment import Deployment
from serai.model.settings import Settings

pytestmark = [pytest.mark.live, pytest.mark.slow]

PORT = 8080
DRAIN_SECONDS = 4.0
"""In place of the deployed ones, to be done sooner."""
ANSWER_SECONDS = 0.3
"""So that there is always a request under way that an end would break."""
HEARD_SECONDS = 1.5
"""How long a Service goes on giving connections to a Pod that ends."""


@contextlib.asynccontextmanager
async def controlling(api: assets.ApiServer, space: str, host: str) -> AsyncIterator[None]:
    """Somebody deploys and configures them."""
    options = Options(
        xds=f"{host}:0",
        namespace=space,
        identity="one",
        xds_host=host,
        xds_tls="own",
        deployment=Deployment(image="envoy:1.40"),
    )
    one = Controller(api.access(), Settings(standalone=False, bind="0.0.0.0"), options)
    task = asyncio.create_task(one.run())
    try:
        await until(lambda: not one.waiting_for() or task.done())
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_rolling_upgrade_of_envoys_costs_no_request(
    api: assets.ApiServer, admin: Access, tmp_path: Path
) -> None:
    if reason := cannot():
        pytest.skip(reason)
    space = await namespace(admin, "rollout")
    service = Balancer()
    async with contextlib.AsyncExitStack() as stack:
        network = stack.enter_context(Network(tmp_path).up())
        endpoint = await stack.enter_async_context(
            answering("partner", network.host, ANSWER_SECONDS)
        )
        await stack.enter_async_context(controlling(api, space, network.host))
        await gateway_class(admin)
        listener = {"name": "http", "port": PORT, "protocol": "HTTP"}
        spec = {"gatewayClassName": "serai", "listeners": [listener]}
        await admin.create(GATEWAY, space, {**head(GATEWAY, "edge"), "spec": spec})
        await entry(admin, space, "rollout.example", endpoint, network.host)
        await route(admin, space, "rollout.example")
        *_, deployment = (await deployed(admin, space))[:4]

        async def pod() -> Pod:
            one = Pod(network.join(), deployment, admin)
            folder = tmp_path / one.place.name
            folder.mkdir()
            await stack.enter_async_context(one.running(folder))
            return one

        old = [await pod(), await pod()]
        service.targets[:] = [each.at(PORT) for each in old]
        await stack.enter_async_context(service.serving())
        async with Traffic(f"http://127.0.0.1:{service.port}/").flowing() as traffic:
            # Before its end no Pod may go that arrives in it.
            for leaving in old:
                arriving = await pod()
                service.targets.append(arriving.at(PORT))
                ending = asyncio.create_task(leaving.end(DRAIN_SECONDS))
                await asyncio.sleep(HEARD_SECONDS)
                service.targets.remove(leaving.at(PORT))
                await ending
            await traffic.only("partner")
