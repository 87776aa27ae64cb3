"""Whatever is replaced or restarted, no request fails: on a real API server, with real Envoys."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kube import assets
from kube.controllers import SETTINGS, answering
from kube.manifests import ENTRY, GATEWAY, ROUTE, edge, entry, namespace, route
from kube.replicas import SECONDS, envoy, replica
from kube.traffic import Balancer, Traffic
from kube.waiting import told, until
from live.envoys import free_port
from serai.api.meta import Key, LabelSelector
from serai.app.controller import Controller, Options
from serai.kube.access import MERGE_PATCH, Access, ApiError
from serai.kube.election import LEASE_SECONDS, RETRY_SECONDS
from serai.kube.leader import LEASES
from serai.kube.wire import Name
from serai.sources.cluster import Scope

pytestmark = [pytest.mark.live, pytest.mark.slow]


class World:
    """A Gateway with a route to one of two endpoints, in a namespace of its own."""

    def __init__(self, admin: Access, space: str, port: int, endpoints: tuple[int, int]) -> None:
        self.admin = admin
        self.space = space
        self.port = port
        self.endpoints = endpoints
        self.gateway = f"{space}/edge"

    async def point_at(self, which: int) -> None:
        """Send what comes to one of the endpoints."""
        endpoint = {"address": "127.0.0.1", "ports": {"http": self.endpoints[which]}}
        body = {"spec": {"endpoints": [endpoint]}}
        await self.admin.patch(ENTRY, Name(self.space, "partner"), body, MERGE_PATCH)

    async def statuses(self) -> list[dict[str, Any]]:
        """What the Gateway and its route are told, with the generations."""
        found = [
            await self.admin.read(resource, Name(self.space, name))
            for resource, name in ((GATEWAY, "edge"), (ROUTE, "partner"), (ENTRY, "partner"))
        ]
        return [each for each in found if each]

    def traffic(self) -> Traffic:
        """Requests that the route takes."""
        return Traffic(f"http://127.0.0.1:{self.port}/")


@contextlib.asynccontextmanager
async def world(admin: Access, name: str) -> AsyncIterator[World]:
    space, port = await namespace(admin, name), free_port()
    async with answering("one") as one, answering("two") as two:
        await edge(admin, space, port)
        await entry(admin, space, f"{name}.example", one)
        await route(admin, space, f"{name}.example")
        yield World(admin, space, port, (one, two))


async def test_an_api_server_restarted_under_traffic_costs_no_request(
    api: assets.ApiServer, admin: Access, tmp_path: Path
) -> None:
    way = Balancer(("127.0.0.1", api.port))
    async with (
        world(admin, "restarted") as here,
        way.serving() as (host, port),
        replica(api, here.space, "one", f"https://{host}:{port}") as one,
        envoy(one.xds, here.gateway, tmp_path),
        here.traffic().flowing() as traffic,
    ):
        await asyncio.to_thread(api.stop, kill=True)
        way.targets.clear()
        await asyncio.sleep(1)
        await asyncio.to_thread(api.start)
        # It is back, but not yet for the controller, who has to find this out afterwards.
        await patiently(lambda: here.point_at(1))
        await asyncio.sleep(1)
        assert set(traffic.answers) == {"200 one"}, traffic
        way.targets.append(("127.0.0.1", api.port))
        await traffic.only("two")


async def patiently(write: Callable[[], Awaitable[None]]) -> None:
    """An API server that has just come back may still refuse."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                await write()
            except ApiError:
                await asyncio.sleep(0.2)
            else:
                return


async def test_a_rolling_upgrade_of_serai_costs_no_request(
    api: assets.ApiServer, admin: Access, tmp_path: Path
) -> None:
    service = Balancer()
    async with (
        contextlib.AsyncExitStack() as pods,
        world(admin, "upgraded") as here,
        service.serving() as xds,
    ):
        old = [await pods.enter_async_context(replica(api, here.space, each)) for each in "ab"]
        service.targets[:] = [each.xds for each in old]
        async with envoy(xds, here.gateway, tmp_path), here.traffic().flowing() as traffic:
            await told(admin, ROUTE, here.space, "partner", "parents")
            await told(admin, GATEWAY, here.space, "edge", "listeners")
            await told(admin, ENTRY, here.space, "partner", "addresses")
            before = [each["status"] for each in await here.statuses()]
            async with changing(here):
                for leaving, name in zip(old, "cd", strict=True):
                    # As a Deployment does it with maxUnavailable: 0.
                    arriving = await pods.enter_async_context(replica(api, here.space, name))
                    service.targets.append(arriving.xds)
                    service.targets.remove(leaving.xds)
                    await leaving.end()
            await here.point_at(1)
            await traffic.only("two")
            await settled(here, before)


@contextlib.asynccontextmanager
async def changing(here: World) -> AsyncIterator[None]:
    """What a route leads to changes again and again."""

    async def change() -> None:
        turn = 0
        while True:
            turn += 1
            await here.point_at(turn % 2)
            await asyncio.sleep(0.2)

    task = asyncio.create_task(change())
    try:
        yield
    finally:
        assert not task.done(), "changes have ended"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settled(here: World, before: list[dict[str, Any]]) -> None:
    """Nobody's status has changed for it, nor does anybody write any more."""
    after = await here.statuses()
    assert [unwrapped(each["status"]) for each in after] == [unwrapped(each) for each in before]
    await asyncio.sleep(1)
    versions = [each["metadata"]["resourceVersion"] for each in after]
    assert versions == [each["metadata"]["resourceVersion"] for each in await here.statuses()]


def unwrapped(status: Any) -> Any:
    """A status, without the generations that changes count up."""
    match status:
        case dict():
            return {k: unwrapped(v) for k, v in status.items() if k != "observedGeneration"}
        case list():
            return [unwrapped(each) for each in status]
        case _:
            return status


async def test_who_follows_takes_over_when_the_leader_is_killed(
    api: assets.ApiServer, admin: Access, tmp_path: Path
) -> None:
    service = Balancer()
    async with (
        world(admin, "beheaded") as here,
        service.serving() as xds,
        replica(api, here.space, "leader") as leader,
    ):
        await holder(admin, here.space, "leader")
        async with replica(api, here.space, "follower") as follower:
            service.targets[:] = [leader.xds, follower.xds]
            async with envoy(xds, here.gateway, tmp_path), here.traffic().flowing() as traffic:
                await told(admin, ROUTE, here.space, "partner", "parents")
                await told(admin, ENTRY, here.space, "partner", "addresses")
                before = [each["status"] for each in await here.statuses()]
                service.targets.remove(leader.xds)
                await leader.end(kill=True)
                killed = time.monotonic()
                # Nobody leads yet, and Envoys are told of changes all the same.
                await here.point_at(1)
                await traffic.only("two")
                await holder(admin, here.space, "follower")
                assert time.monotonic() - killed < LEASE_SECONDS + 3 * RETRY_SECONDS + 5
                await settled(here, before)
            # Who leads now writes.
            await admin.delete(GATEWAY, Name(here.space, "edge"))
            await untold(here)


async def test_a_leader_that_is_cut_off_writes_nothing_once_another_leads(
    api: assets.ApiServer, admin: Access
) -> None:
    way = Balancer(("127.0.0.1", api.port))
    async with world(admin, "cut-off") as here, way.serving() as (host, port):
        leader = api.access(server=f"https://{host}:{port}")
        async with running(leader, here.space, "one") as one:
            await until(one._leading)
            async with running(api.access(), here.space, "two") as two:
                await told(admin, ROUTE, here.space, "partner", "parents")
                target = way.targets.pop()
                way.cut()
                while not two._leading():
                    await asyncio.sleep(0.02)
                    assert not (one._leading() and two._leading()), "two lead"
                # It learns of all that has happened, and has something to say on none of it.
                written = one.writer.writes
                way.targets.append(target)
                await admin.delete(GATEWAY, Name(here.space, "edge"))
                await untold(here)
                gone = Key("Gateway", here.space, "edge")
                await until(lambda: one.core.pipeline.inputs.gateways.row(gone) is None)
                await asyncio.sleep(3)
                assert one.writer.writes == written
                assert not one._leading()


@contextlib.asynccontextmanager
async def running(access: Access, space: str, name: str) -> AsyncIterator[Controller]:
    """A replica in this process, which can be looked into."""
    scope = Scope((LabelSelector({"kubernetes.io/metadata.name": space}),))
    options = Options(xds="127.0.0.1:0", namespace=space, identity=name, scope=scope)
    one = Controller(access, SETTINGS, options)
    task = asyncio.create_task(one.run())
    try:
        await until(lambda: not one.waiting_for() or task.done(), SECONDS)
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def holder(admin: Access, space: str, name: str) -> None:
    """Wait until it leads."""
    async with asyncio.timeout(SECONDS):
        while True:
            lease = await admin.read(LEASES, Name(space, "serai-controller"))
            if lease and lease["spec"].get("holderIdentity") == name:
                return
            await asyncio.sleep(0.1)


async def untold(here: World) -> None:
    """Wait until what was said of a parent that is gone is taken back."""
    async with asyncio.timeout(SECONDS):
        while True:
            found = await here.admin.read(ROUTE, Name(here.space, "partner"))
            if found and not found["status"]["parents"]:
                return
            await asyncio.sleep(0.1)
