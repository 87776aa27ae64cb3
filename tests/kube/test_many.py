"""Five thousand objects on a real API server: read page by page, and none is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from kube import assets
from kube.controllers import SETTINGS
from kube.manifests import ENTRY, SERVICE, head, namespace
from kube.waiting import until
from serai.api.meta import LabelSelector
from serai.app.controller import Controller, Options
from serai.kube.access import Access, Params
from serai.kube.resource import Resource
from serai.kube.wire import Name
from serai.sources.cluster import Scope

NUMBERS = {SERVICE: 3000, ENTRY: 2000}
WRITERS = 16


def bodies(resource: Resource, number: int) -> Iterator[dict[str, Any]]:
    for each in range(number):
        ports = [{"name": "http", "port": 80}]
        spec: dict[str, Any] = {"clusterIP": "None", "ports": ports}
        if resource is ENTRY:
            ports = [{"name": "http", "number": 80, "protocol": "HTTP"}]
            spec = {"hosts": [f"many-{each}.example"], "ports": ports, "resolution": "DNS"}
        yield {**head(resource, f"many-{each}"), "spec": spec}


async def fill(admin: Access, space: str) -> None:
    async def write(resource: Resource, waiting: Iterator[dict[str, Any]]) -> None:
        for body in waiting:
            await admin.create(resource, space, body)

    for resource, number in NUMBERS.items():
        waiting = bodies(resource, number)
        await asyncio.gather(*(write(resource, waiting) for _ in range(WRITERS)))


@pytest.mark.slow
async def test_five_thousand_objects_are_read_page_by_page(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "many")
    access = api.access()
    pages: list[str] = []
    get = access.get

    async def counted(path: str, params: Params | None = None, accept: str = "") -> bytes:
        if "limit" in (params or {}):
            pages.append(path)
        return await get(path, params, accept)

    access.get = counted  # type: ignore[method-assign]
    try:
        await fill(admin, space)
        scope = Scope((LabelSelector({"kubernetes.io/metadata.name": space}),))
        options = Options(xds="127.0.0.1:0", namespace=space, identity="one", scope=scope)
        one = Controller(access, SETTINGS, options)
        task = asyncio.create_task(one.run())
        try:
            await until(lambda: not one.waiting_for() or task.done(), 60)
            inputs = one.core.pipeline.inputs
            for resource, table in ((SERVICE, inputs.services), (ENTRY, inputs.service_entries)):
                held = {key.name for key, _ in table.items() if key.namespace == space}
                assert held == {f"many-{each}" for each in range(NUMBERS[resource])}
                assert pages.count(resource.path()) > 3
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    finally:
        # The API server is that of other tests too.
        for resource in NUMBERS:
            await admin._write("DELETE", resource.path(Name(space, "")), {})
