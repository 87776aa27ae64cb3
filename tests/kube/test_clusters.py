"""Many clusters: two real API servers, a controller of the one, and a real Envoy."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import httpx2
import pytest
import yaml

from kube import assets
from kube.controllers import answering, envoy
from kube.manifests import NAMESPACE, ROUTE, SERVICE, edge, head, namespace
from kube.remotes import (
    GRACE,
    SECRET,
    addresses,
    controller,
    kubeconfig,
    reached,
    running,
    secret,
    shop,
)
from kube.waiting import until
from live.envoys import free_port
from serai.api.meta import Key
from serai.app.clusters.remote import Reach
from serai.kube.access import Access
from serai.kube.resource import Resource
from serai.kube.wire import Name

RULE = Resource("networking.istio.io", "v1", "destinationrules", "DestinationRule")


async def route(access: Access, space: str) -> None:
    spec = {
        "parentRefs": [{"name": "edge"}],
        "rules": [{"backendRefs": [{"name": "shop", "port": 80}]}],
    }
    await access.create(ROUTE, space, {**head(ROUTE, "shop"), "spec": spec})


async def answers(port: int, number: int = 40) -> Counter[str]:
    """Who answers how many of some requests."""
    found: Counter[str] = Counter()
    async with httpx2.AsyncClient() as client:
        for _ in range(number):
            try:
                answer = await client.get(f"http://127.0.0.1:{port}/")
                found[answer.text if answer.status_code == 200 else str(answer.status_code)] += 1
            except httpx2.HTTPError:
                found["unreached"] += 1
    return found


async def answered_by(port: int, *wanted: str, seconds: float = 20.0) -> None:
    """Wait until all of these answer, and nobody else."""
    found: Counter[str] = Counter()
    try:
        async with asyncio.timeout(seconds):
            while found.keys() != set(wanted):
                await asyncio.sleep(0.1)
                found = await answers(port)
    except TimeoutError:
        pytest.fail(f"{dict(found)} answered")


async def test_endpoints_of_both_clusters_get_traffic_until_the_secret_goes(
    api: assets.ApiServer,
    admin: Access,
    west_api: assets.ApiServer,
    west: Access,
    tmp_path: Path,
) -> None:
    space, port = await namespace(admin, "both"), free_port()
    await west.create(NAMESPACE, "", {"metadata": {"name": space}})
    async with (
        answering("east") as here,
        answering("west", "127.0.0.2") as there,
        controller(api, space) as one,
        envoy(one, f"{space}/edge", tmp_path),
    ):
        await edge(admin, space, port)
        await shop(admin, space, "127.0.0.1", here)
        await route(admin, space)
        await shop(west, space, "127.0.0.2", there)
        await answered_by(port, "east")
        await secret(admin, space, "west", west=kubeconfig(west_api))
        await answered_by(port, "east", "west")
        await running(admin, space, "shop", "127.0.0.1", ready=False)
        await answered_by(port, "west")
        await running(admin, space, "shop", "127.0.0.1")
        await answered_by(port, "east", "west")
        await admin.delete(SECRET, Name(space, "west"))
        await answered_by(port, "east")


async def test_a_cluster_that_is_down_keeps_its_endpoints_for_a_while(
    api: assets.ApiServer, admin: Access, west_api: assets.ApiServer, west: Access, tmp_path: Path
) -> None:
    space, port = await namespace(admin, "grace"), free_port()
    await west.create(NAMESPACE, "", {"metadata": {"name": space}})
    await secret(admin, space, "west", west=kubeconfig(west_api))
    async with (
        answering("east") as here,
        answering("west", "127.0.0.2") as there,
        controller(api, space) as one,
        envoy(one, f"{space}/edge", tmp_path),
    ):
        await edge(admin, space, port)
        await shop(admin, space, "127.0.0.1", here)
        await route(admin, space)
        await shop(west, space, "127.0.0.2", there)
        await answered_by(port, "east", "west")
        assert reached(one) == {"west": Reach.SYNCED}
        west_api.stop(kill=True)
        await until(lambda: reached(one) == {"west": Reach.UNREACHABLE})
        assert (await answers(port)).keys() == {"east", "west"}
        (problem,) = one.clusters.problems()
        assert (problem.code, problem.key) == ("SER1212", Key("Secret", space, "west"))
        assert f"stays in use for {GRACE:.0f} s" in problem.message
        assert not one.waiting_for()
        await running(admin, space, "shop", "127.0.0.1", ready=False)
        await answered_by(port, "west", seconds=GRACE)
        await running(admin, space, "shop", "127.0.0.1")
        await until(lambda: reached(one) == {"west": Reach.LOST})
        await answered_by(port, "east")
        (problem,) = one.clusters.problems()
        assert "nothing of it is used any more" in problem.message
        await asyncio.to_thread(west_api.start)
        await until(lambda: reached(one) == {"west": Reach.SYNCED})
        await answered_by(port, "east", "west")
        assert one.clusters.problems() == ()


async def test_a_secret_that_changes_is_followed_as_it_is_now(
    api: assets.ApiServer, admin: Access, west_api: assets.ApiServer, west: Access
) -> None:
    space = await namespace(admin, "changed")
    await west.create(NAMESPACE, "", {"metadata": {"name": space}})
    await shop(admin, space, "10.0.0.1", 8080)
    await shop(west, space, "10.0.0.2", 8080)
    good = kubeconfig(west_api)
    nobody = kubeconfig(west_api, token="nobody-token")
    command = kubeconfig(west_api, exec={"command": "/bin/true", "apiVersion": "v1"})
    async with controller(api, space) as one:

        def is_joined() -> bool:
            found = addresses(one, space)
            assert "10.0.0.1" in found
            return "10.0.0.2" in found

        await secret(admin, space, "west", west=good)
        await until(is_joined)
        # What is refused changes nothing at first; whoever may not read anything likewise.
        await secret(admin, space, "west", west=command)
        await until(lambda: reached(one) == {"west": Reach.REFUSED})
        (problem,) = one.clusters.problems()
        assert (problem.code, problem.path) == ("SER1211", "data[west]")
        assert "users[test].exec may not be there: it would run a command here" in problem.message
        assert is_joined()
        await until(lambda: not is_joined())
        await secret(admin, space, "west", west=good)
        await until(is_joined)
        await secret(admin, space, "west", west=nobody)
        await until(lambda: reached(one)["west"] != Reach.SYNCED)
        assert is_joined()
        await until(lambda: not is_joined())
        # A second name for the same cluster, in the same Secret.
        await secret(admin, space, "west", other=good)
        await until(is_joined)
        assert reached(one) == {"other": Reach.SYNCED}


async def test_a_cluster_that_never_answers_holds_up_nobody(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "silent")
    opened: list[asyncio.StreamWriter] = []

    def never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)

    silent = await asyncio.start_server(never, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    mute = yaml.safe_load(kubeconfig(api))
    mute["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    await secret(admin, space, "mute", mute=yaml.safe_dump(mute))
    async with silent, controller(api, space, wait=1.0) as one:
        await shop(admin, space, "10.0.0.1", 8080)
        await until(lambda: addresses(one, space) == {"10.0.0.1"})
        assert reached(one) == {"mute": Reach.CONNECTING}
        assert opened
    for each in opened:
        each.transport.abort()


async def test_a_service_that_only_another_cluster_has_can_be_routed_to(
    api: assets.ApiServer, admin: Access, west_api: assets.ApiServer, west: Access, tmp_path: Path
) -> None:
    space, port = await namespace(admin, "only"), free_port()
    await west.create(NAMESPACE, "", {"metadata": {"name": space}})
    await secret(admin, space, "west", west=kubeconfig(west_api))
    async with (
        answering("west", "127.0.0.2") as there,
        controller(api, space) as one,
        envoy(one, f"{space}/edge", tmp_path),
    ):
        await edge(admin, space, port)
        await route(admin, space)
        await shop(west, space, "127.0.0.2", there)
        await answered_by(port, "west")
        await west.delete(SERVICE, Name(space, "shop"))
        await answered_by(port, "500")


async def test_the_near_cluster_first_and_others_when_it_fails(
    api: assets.ApiServer, admin: Access, west_api: assets.ApiServer, west: Access, tmp_path: Path
) -> None:
    space, port = await namespace(admin, "near"), free_port()
    await west.create(NAMESPACE, "", {"metadata": {"name": space}})
    await secret(admin, space, "west", west=kubeconfig(west_api))
    priority = {"failoverPriority": ["topology.istio.io/cluster"]}
    policy = {
        "loadBalancer": {"localityLbSetting": priority},
        "outlierDetection": {"consecutive5xxErrors": 5},
    }
    rule = {"host": f"shop.{space}.svc.cluster.local", "trafficPolicy": policy}
    async with (
        answering("east") as here,
        answering("west", "127.0.0.2") as there,
        controller(api, space) as one,
        envoy(one, f"{space}/edge", tmp_path),
    ):
        await edge(admin, space, port)
        await shop(admin, space, "127.0.0.1", here)
        await route(admin, space)
        await shop(west, space, "127.0.0.2", there)
        await answered_by(port, "east", "west")
        await admin.create(RULE, space, {**head(RULE, "near"), "spec": rule})
        await answered_by(port, "east")
        await running(admin, space, "shop", "127.0.0.1", ready=False)
        await answered_by(port, "west")
        await running(admin, space, "shop", "127.0.0.1")
        await answered_by(port, "east")
