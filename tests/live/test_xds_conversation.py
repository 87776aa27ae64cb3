"""The xDS server and real Envoy: what is published reaches traffic, and no request fails for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from live.envoys import free_port
from live.laboratory import (
    BAD_CLUSTER,
    BAD_ROUTES,
    PROXY,
    Protocol,
    both,
    chain,
    cluster,
    endpoints,
    lab,
    routes,
    scope,
    service,
    tcp_listener,
)
from serai.api.meta import Key

pytestmark = pytest.mark.live


@both
async def test_endpoints_routes_and_services_reach_traffic(
    tmp_path: Path, protocol: Protocol
) -> None:
    async with lab(tmp_path, protocol, "a", "b") as it:
        await it.answers("a", "200 one")
        await it.answers("b", "200 one")
        state = await it.converged()
        assert {type_.type.name: type_.acked for type_ in state.types} == {
            "CLUSTER": 2,
            "ENDPOINTS": 2,
            "LISTENER": 1,
            "SCOPE": 2,
            "ROUTES": 2,
        }
        async with it.load("a", "b") as results:
            it.publish(endpoints("a", it.two))
            await it.answers("a", "200 two")
            it.publish(*service("c", it.two))
            await it.answers("c", "200 two")
            it.publish(cluster("a", connect_timeout="3s"))
            it.publish(routes("b", "c"))
            await it.answers("b", "200 two")
            it.publish(gone=(scope("c"), routes("c", "c")))
            await it.answers("c", "404")
            await it.converged()
        assert set(results) <= {"200 one", "200 two"}
        assert it.told == {}


@both
async def test_what_envoy_rejects_harms_nothing_beside_it(
    tmp_path: Path, protocol: Protocol
) -> None:
    async with lab(tmp_path, protocol, "a", "b", "c") as it:
        await it.answers("a", "200 one")
        async with it.load("b") as results:
            it.publish(
                endpoints("a", it.two),
                cluster("b", **BAD_CLUSTER),
                routes("b", "b", **BAD_ROUTES),
                routes("c", "a"),
                *service("d", it.two),
            )
            await it.answers("a", "200 two")
            await it.answers("c", "200 two")
            await it.answers("d", "200 two")
            await it.until(lambda: len(it.told) == 2)
        assert set(results) == {"200 one"}
        told = {key.type.name: rejection for key, rejection in it.told.items()}
        assert {key.name for key in it.told} == {"b"}
        assert "HTTP/2" in told["CLUSTER"].message
        assert "missing )" in told["ROUTES"].message
        assert told["ROUTES"].origins[0].key == Key("HTTPRoute", "shop", "b")
        it.publish(cluster("b", connect_timeout="3s"), routes("b", "d"))
        await it.answers("b", "200 two")
        await it.until(lambda: not it.told)


@both
async def test_a_new_envoy_serves_although_one_route_is_bad(
    tmp_path: Path, protocol: Protocol
) -> None:
    async with lab(tmp_path, protocol, "a") as it:
        it.publish(cluster("b"), endpoints("b", it.one), scope("b"))
        it.publish(routes("b", "b", **BAD_ROUTES))
        await it.answers("a", "200 one")
        await it.until(lambda: it.told)
        assert await it.get("b") == "404"


@both
async def test_an_envoy_that_comes_back_is_sent_nothing(tmp_path: Path, protocol: Protocol) -> None:
    async with lab(tmp_path, protocol, "a", "b") as it:
        await it.answers("a", "200 one")
        await it.converged()
        async with it.load("a", "b") as results:
            await it.server.stop()
            await it.serve()
            state = await it.converged()
            (client,) = it.server._clients[PROXY]
            assert client.stream.conversation._sequence == 0
            assert sum(type_.acked for type_ in state.types) == 9
            it.publish(endpoints("b", it.two))
            await it.answers("b", "200 two")
        assert set(results) <= {"200 one", "200 two"}


async def test_a_restart_with_another_world_takes_nothing_from_under_a_route(
    tmp_path: Path,
) -> None:
    async with lab(tmp_path, "delta", "a", "b") as it:
        await it.answers("a", "200 one")
        await it.converged()
        async with it.load("a", "b") as results:
            await it.server.stop()
            old = cluster("b"), endpoints("b", it.one)
            for resource in old:
                del it.world[resource.key]
            for resource in (*service("new", it.two)[:2], routes("b", "new")):
                it.world[resource.key] = resource
            await it.serve()
            await it.answers("b", "200 two")
            await it.until(lambda: it.server.clients()[0].types[0].acked == 2)
        assert set(results) <= {"200 one", "200 two"}


@both
async def test_routes_move_between_clusters_without_a_failed_request(
    tmp_path: Path, protocol: Protocol
) -> None:
    async with lab(tmp_path, protocol, "a", "b") as it:
        await it.answers("a", "200 one")
        async with it.load("a", "a", "b") as results:
            before = "a"
            for number in range(30):
                name, port = f"a{number}", (it.two, it.one)[number % 2]
                old = cluster(before), endpoints(before, 1)
                it.publish(cluster(name), endpoints(name, port), routes("a", name), gone=old)
                await it.answers("a", ("200 two", "200 one")[number % 2])
                before = name
            await it.until(lambda: it.server.clients()[0].types[0].acked == 2)
        assert len(results) > 100
        assert set(results) <= {"200 one", "200 two"}


@both
async def test_a_cluster_that_never_becomes_ready_starves_no_other(
    tmp_path: Path, protocol: Protocol
) -> None:
    check = {
        "timeout": "60s",
        "interval": "60s",
        "unhealthy_threshold": 1,
        "healthy_threshold": 1,
        "tcp_health_check": {},
    }
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.socket())
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(3):
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(silent.getsockname())
        async with lab(tmp_path, protocol, "a") as it:
            await it.answers("a", "200 one")
            it.publish(
                cluster("stuck", health_checks=[check]),
                endpoints("stuck", silent.getsockname()[1]),
            )
            async with it.load("a") as results:
                for number in range(3):
                    name = f"a{number}"
                    it.publish(cluster(name), endpoints(name, it.two), routes("a", name))
                    await asyncio.wait_for(it.answers("a", "200 two"), 3)
                    it.publish(endpoints(name, it.one))
                    await asyncio.wait_for(it.answers("a", "200 one"), 1)
            assert set(results) <= {"200 one", "200 two"}
            stuck = next(t for t in it.server.clients()[0].types if t.type.name == "CLUSTER")
            assert stuck.pending


@both
async def test_filter_chains_come_and_go_one_by_one(tmp_path: Path, protocol: Protocol) -> None:
    async with lab(tmp_path, protocol, "a") as it:
        port = free_port()
        it.publish(tcp_listener(port, "c1"), chain("c1", "a"))
        await it.answers("", "200 one", port)
        it.publish(cluster("b"), endpoints("b", it.two), chain("c1", "b"))
        await it.answers("", "200 two", port)
        gone = (chain("c1", "b"),)
        it.publish(tcp_listener(port, "c2"), chain("c2", "a"), gone=gone)
        await it.answers("", "200 one", port)
        await it.answers("a", "200 one")
        assert it.told == {}
