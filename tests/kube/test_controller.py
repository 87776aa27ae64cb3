"""`serai controller` on a real API server, with a real Envoy joined by its bootstrap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from kube import assets
from kube.test_cluster import namespace, until
from kube.test_statuses import ENTRY, GATEWAY, ROUTE, head
from live.envoys import free_port
from serai.api.meta import Key
from serai.app.controller import Controller, Options
from serai.attach.gateways import CONTROLLER
from serai.envoy.binary import find_envoy
from serai.envoy.bootstrap import BootstrapSettings, HostPort, bootstrap, render
from serai.kube.access import MERGE_PATCH, Access, ApiError
from serai.kube.resource import Resource
from serai.kube.wire import Name
from serai.model.settings import Settings

CLASS = Resource("gateway.networking.k8s.io", "v1", "gatewayclasses", "GatewayClass")
SERVICE = Resource("", "v1", "services", "Service")
SETTINGS = Settings(standalone=False, bind="127.0.0.1")


@asynccontextmanager
async def controller(api: assets.ApiServer, space: str, name: str) -> AsyncIterator[Controller]:
    """A replica that runs until the end."""
    options = Options(xds="127.0.0.1:0", namespace=space, identity=name)
    one = Controller(api.access(), SETTINGS, options)
    task = asyncio.create_task(one.run())
    try:
        await until(lambda: not one.waiting_for() or task.done())
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def envoy(one: Controller, gateway: str, folder: Path) -> AsyncIterator[None]:
    """A real Envoy of a Gateway."""
    binary, _ = find_envoy()
    assert binary is not None
    xds = HostPort("127.0.0.1", one.xds_port)
    settings = BootstrapSettings(gateway=gateway, node_id=f"{gateway}-test", xds=xds)
    config = folder / "bootstrap.json"
    config.write_bytes(render(bootstrap(settings)))
    with (folder / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(binary.path), "-c", str(config), "--use-dynamic-base-id", stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def answering(
    body: str, address: str = "127.0.0.1", seconds: float = 0.0
) -> AsyncIterator[int]:
    """Somebody who answers every request so, after so long; the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(seconds)
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, address, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def gateway_class(access: Access) -> None:
    body = {**head(CLASS, "serai"), "spec": {"controllerName": CONTROLLER}}
    try:
        await access.create(CLASS, "", body)
    except ApiError as error:
        assert error.status == 409, error  # noqa: PT017


async def edge(access: Access, space: str, port: int) -> None:
    """A Gateway and the Service by which it is reached."""
    await gateway_class(access)
    listener = {"name": "http", "port": port, "protocol": "HTTP"}
    spec = {"gatewayClassName": "serai", "listeners": [listener]}
    await access.create(GATEWAY, space, {**head(GATEWAY, "edge"), "spec": spec})
    ports = [{"port": 80, "targetPort": port}]
    await access.create(SERVICE, space, {"metadata": {"name": "edge"}, "spec": {"ports": ports}})


async def entry(
    access: Access, space: str, host: str, endpoint: int, address: str = "127.0.0.1"
) -> None:
    spec = {
        "hosts": [host],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "STATIC",
        "endpoints": [{"address": address, "ports": {"http": endpoint}}],
    }
    await access.create(ENTRY, space, {**head(ENTRY, "partner"), "spec": spec})


async def route(access: Access, space: str, host: str) -> None:
    backend = {"group": "networking.istio.io", "kind": "Hostname", "name": host, "port": 80}
    spec = {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [backend]}]}
    await access.create(ROUTE, space, {**head(ROUTE, "partner"), "spec": spec})


async def status(access: Access, resource: Resource, space: str, name: str) -> dict[str, Any]:
    found = await access.read(resource, Name(space, name))
    assert found is not None
    return dict(found.get("status") or {})


async def told(
    access: Access, resource: Resource, space: str, name: str, field: str
) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while field not in (found := await status(access, resource, space, name)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found


def conditions(entry: dict[str, Any]) -> dict[str, str]:
    return {each["type"]: each["status"] for each in entry["conditions"]}


async def answered(url: str) -> str:
    async with httpx2.AsyncClient() as client, asyncio.timeout(20):
        while True:
            try:
                found = await client.get(url)
            except httpx2.HTTPError:
                await asyncio.sleep(0.1)
                continue
            if found.status_code == 200:
                return found.text
            await asyncio.sleep(0.1)


async def test_a_route_to_a_service_entry_is_served_and_told(
    api: assets.ApiServer, admin: Access, tmp_path: Path
) -> None:
    space, port = await namespace(admin, "served"), free_port()
    async with answering("partner") as endpoint, controller(api, space, "one") as one:
        await edge(admin, space, port)
        await entry(admin, space, "partner.example", endpoint)
        await route(admin, space, "partner.example")
        async with envoy(one, f"{space}/edge", tmp_path):
            assert await answered(f"http://127.0.0.1:{port}/") == "partner"
        found = await told(admin, ROUTE, space, "partner", "parents")
        (parent,) = found["parents"]
        assert parent["controllerName"] == CONTROLLER
        assert conditions(parent) == {"Accepted": "True", "ResolvedRefs": "True"}
        found = await told(admin, GATEWAY, space, "edge", "addresses")
        service = await admin.read(SERVICE, Name(space, "edge"))
        assert service is not None
        assert [each["value"] for each in found["addresses"]] == [service["spec"]["clusterIP"]]
        assert conditions(found)["Programmed"] == "True"
        assert found["listeners"][0]["attachedRoutes"] == 1
        addresses = (await told(admin, ENTRY, space, "partner", "addresses"))["addresses"]
        assert {each["host"] for each in addresses} == {"partner.example"}
        assert any(each["value"].startswith("240.240.") for each in addresses)


async def test_at_rest_nothing_is_written(api: assets.ApiServer, admin: Access) -> None:
    space = await namespace(admin, "rest")
    async with controller(api, space, "one") as one:
        await edge(admin, space, free_port())
        await entry(admin, space, "rest.example", 1)
        await route(admin, space, "rest.example")
        await told(admin, ROUTE, space, "partner", "parents")
        await told(admin, ENTRY, space, "partner", "addresses")
        await asyncio.sleep(1.0)
        before = one.writer.writes
        await asyncio.sleep(1.0)
        assert one.writer.writes == before


async def test_an_address_given_by_status_takes_effect_at_once(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "given")
    async with controller(api, space, "one") as one:
        await entry(admin, space, "given.example", 1)
        await told(admin, ENTRY, space, "partner", "addresses")
        given = [{"value": "240.240.77.7", "host": "given.example"}]
        body = {"status": {"addresses": given}}
        await admin.patch(ENTRY, Name(space, "partner"), body, MERGE_PATCH, "status")
        key = Key("ServiceEntry", space, "partner")

        def has() -> bool:
            row = one.core.pipeline.inputs.vips.row(key)
            return row is not None and row.addresses[0].cidr == "240.240.77.7"

        await until(has)


async def test_both_replicas_serve_and_the_one_left_takes_over(
    api: assets.ApiServer, admin: Access, tmp_path: Path
) -> None:
    space, port = await namespace(admin, "replicas"), free_port()
    async with (
        answering("partner") as endpoint,
        controller(api, space, "two") as two,
        controller(api, space, "one") as one,
    ):
        await until(lambda: one._leading() or two._leading())
        assert two._leading(), "whoever came first leads"
        await edge(admin, space, port)
        await entry(admin, space, "replicas.example", endpoint)
        await route(admin, space, "replicas.example")
        async with envoy(one, f"{space}/edge", tmp_path):
            assert await answered(f"http://127.0.0.1:{port}/") == "partner"
        await told(admin, ENTRY, space, "partner", "addresses")
        assert one.writer.writes == 0
        vips = one.core.pipeline.inputs.vips
        key = Key("ServiceEntry", space, "partner")
        await until(lambda: bool((row := vips.row(key)) and row.addresses))
        assert vips.row(key) == two.core.pipeline.inputs.vips.row(key)


async def test_statuses_of_ours_go_when_the_parent_is_ours_no_more(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "stale")
    async with controller(api, space, "one"):
        await edge(admin, space, free_port())
        await entry(admin, space, "stale.example", 1)
        await route(admin, space, "stale.example")
        await told(admin, ROUTE, space, "partner", "parents")
        await admin.delete(GATEWAY, Name(space, "edge"))
        async with asyncio.timeout(20):
            while (await status(admin, ROUTE, space, "partner"))["parents"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
