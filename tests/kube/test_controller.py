"""`serai controller` on a real API server, with a real Envoy joined by its bootstrap."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2

from kube import assets
from kube.controllers import answering, controller, envoy
from kube.manifests import ENTRY, GATEWAY, ROUTE, SERVICE, edge, entry, namespace, route
from kube.waiting import conditions, status, told, until
from live.envoys import free_port
from serai.api.meta import Key
from serai.attach.gateways import CONTROLLER
from serai.kube.access import MERGE_PATCH, Access
from serai.kube.wire import Name


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
