"""Other clusters, and a controller that follows them."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import yaml

from kube import assets
from kube.controllers import SETTINGS
from kube.manifests import SERVICE
from kube.waiting import until
from serai.app.controller import Controller, Options
from serai.kube.access import MERGE_PATCH, Access
from serai.kube.resource import Resource
from serai.kube.wire import Name

POD = Resource("", "v1", "pods", "Pod")
SECRET = Resource("", "v1", "secrets", "Secret")


GLOBAL = {"istio.io/global": "true"}


GRACE = 3.0


def kubeconfig(api: assets.ApiServer, **user: Any) -> str:
    """What may be in a Secret: whom to trust, and a token."""
    authority = b64encode((api.folder / "certs" / "apiserver.crt").read_bytes()).decode()
    found = api.kubeconfig()
    found["clusters"][0]["cluster"] = {
        "server": api.server,
        "certificate-authority-data": authority,
    }
    found["users"][0]["user"].update(user)
    return yaml.safe_dump(found)


async def secret(access: Access, space: str, name: str, **clusters: str) -> None:
    """A Secret that names clusters, new or instead of the one before."""
    labels = {"istio/multiCluster": "true"}
    data = {each: b64encode(text.encode()).decode() for each, text in clusters.items()}
    body = {"metadata": {"name": name, "labels": labels}, "data": data}
    await access.apply(SECRET, Name(space, name), body)


@asynccontextmanager
async def controller(
    api: assets.ApiServer, space: str, wait: float = 10.0
) -> AsyncIterator[Controller]:
    """A controller that runs until the end."""
    options = Options(xds="127.0.0.1:0", namespace=space, remote_grace=GRACE, remote_wait=wait)
    one = Controller(api.access(), SETTINGS, options)
    task = asyncio.create_task(one.run())
    try:
        await until(lambda: not one.waiting_for() or task.done())
        yield one
    finally:
        # Until its watches are open: the client leaves the sockets of those that are being opened.
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def shop(access: Access, space: str, address: str, port: int, name: str = "shop") -> None:
    """A Service with one Pod."""
    meta = {"name": name, "labels": GLOBAL}
    ports = [{"name": "http", "port": 80, "targetPort": port}]
    await access.create(SERVICE, space, {"metadata": meta, "spec": service(name, ports)})
    await pod(access, space, name)
    await running(access, space, name, address)


def service(name: str, ports: list[dict[str, Any]]) -> dict[str, Any]:
    return {"ports": ports, "selector": {"app": name}}


async def pod(access: Access, space: str, name: str, **labels: str) -> None:
    """A Pod that nobody has started yet; API servers take no EndpointSlices on loopback."""
    spec = {"containers": [{"name": "main", "image": "none"}]}
    meta = {"name": name, "labels": {"app": name, **labels}}
    await access.create(POD, space, {"metadata": meta, "spec": spec})


async def running(
    access: Access, space: str, name: str, address: str, *, ready: bool = True
) -> None:
    """Say of a Pod what a kubelet would."""
    condition = {"type": "Ready", "status": str(ready)}
    status = {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [condition],
    }
    await access.patch(POD, Name(space, name), {"status": status}, MERGE_PATCH, "status")


def reached(one: Controller) -> dict[str, str]:
    return {each.name: each.state for each in one.clusters.states()}


def addresses(one: Controller, space: str) -> set[str]:
    found = one.core.pipeline.attached.catalog.endpoints.items()
    return {each.address for key, row in found if key.service.namespace == space for each in row}
