"""Real Envoys: started, restarted, given new settings, drained, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest

from live.envoys import (
    GATEWAY,
    SECONDS,
    content,
    end_what_names,
    free_port,
    get,
    running,
    slow_upstream,
    spec,
)
from serai.envoy.admin import Admin
from serai.envoy.bootstrap import render
from serai.envoy.launch import GatewaySpec

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def _nothing_left_behind(tmp_path: Path) -> Iterator[None]:
    yield
    assert end_what_names(tmp_path) == []


@pytest.fixture
def port() -> int:
    return free_port()


async def test_killed_it_is_told_and_started_again(tmp_path: Path, port: int) -> None:
    async with running(tmp_path) as made:
        first = await made.ready(edge=spec(port))
        assert await get(port) == "hi"
        os.kill(first, signal.SIGKILL)
        died = await made.until("died")
        assert died.message == (
            f"Envoy of Gateway {GATEWAY} (pid {first}) ended by SIGKILL;"
            " it is started again in 0.02 s."
        )
        await made.until("ready", 2)
        assert await get(port) == "hi"
        (status,) = made.fleet.statuses()
        assert (status.state, status.restarts) == ("ready", 1)
        assert status.pid != first
        assert made.fleet.had_deaths


async def test_one_that_can_not_live_is_a_crash_loop_until_its_settings_change(
    tmp_path: Path, port: int
) -> None:
    broken = msgspec.json.decode(spec(port).bootstrap)
    broken["static_resources"]["clusters"][0]["no_such_field"] = 1
    async with running(tmp_path) as made:
        await made.fleet.ensure({GATEWAY: GatewaySpec(bootstrap=render(broken))})
        event = await made.until("crash-looping")
        assert "died 3 times in a row" in event.message
        assert "no_such_field" in event.message
        assert made.fleet.statuses()[0].state == "crash-looping"
        await made.ready(edge=spec(port))
        assert await get(port) == "hi"
        assert made.fleet.statuses()[0].state == "ready"


async def test_new_settings_at_run_time_and_a_gateway_that_leaves(
    tmp_path: Path, port: int
) -> None:
    other = free_port()
    async with running(tmp_path) as made:
        await made.ready(edge=spec(port, body="a"), other=spec(other))
        kept = made.fleet.statuses()[1].pid
        await made.ready(edge=spec(port, body="b"), other=spec(other))
        await made.until("stopped")
        assert await get(port) == "b"
        assert made.fleet.statuses()[1].pid == kept
        await made.ready(other=spec(other))
        await made.until("stopped", 2)
        with pytest.raises(httpx2.ConnectError):
            await get(port)
        assert await get(other) == "hi"


async def test_stop_lets_a_request_in_flight_finish(tmp_path: Path, port: int) -> None:
    async with slow_upstream(1.0) as (upstream, arrived), running(tmp_path) as made:
        await made.ready(edge=spec(port, upstream))
        request = asyncio.create_task(get(port, "/up"))
        await asyncio.wait_for(arrived.wait(), SECONDS)
        begun = time.monotonic()
        stopping = asyncio.create_task(made.fleet.stop())
        await made.until("draining")
        assert made.fleet.statuses()[0].state == "draining"
        await asyncio.sleep(0.3)
        with pytest.raises(httpx2.ConnectError):
            await get(port)
        assert not request.done()
        assert await request == "slow"
        await stopping
        assert 0.5 < time.monotonic() - begun < SECONDS
        assert made.fleet.statuses() == ()
        with pytest.raises(httpx2.ConnectError):
            await get(port)
    assert content(tmp_path) == []


async def test_draining_ends_after_its_time_and_at_once_for_the_impatient(
    tmp_path: Path, port: int
) -> None:
    async with slow_upstream(30.0) as (upstream, arrived), running(tmp_path) as made:
        await made.ready(edge=spec(port, upstream, drain_seconds=1))
        request = asyncio.create_task(get(port, "/up"))
        await asyncio.wait_for(arrived.wait(), SECONDS)
        await asyncio.wait_for(made.fleet.stop(), SECONDS)
        with pytest.raises(httpx2.HTTPError):
            await request

        arrived.clear()
        await made.ready(edge=spec(port, upstream, drain_seconds=60))
        request = asyncio.create_task(get(port, "/up"))
        await asyncio.wait_for(arrived.wait(), SECONDS)
        patient = asyncio.create_task(made.fleet.stop())
        await made.until("draining", 2)
        await asyncio.wait_for(made.fleet.stop(drain=False), SECONDS)
        await asyncio.wait_for(patient, SECONDS)
        with pytest.raises(httpx2.HTTPError):
            await request


async def test_a_port_in_use_is_told_with_who_has_it(tmp_path: Path, port: int) -> None:
    async with running(tmp_path) as made:
        with socket.create_server(("127.0.0.1", port)):
            await made.fleet.ensure({GATEWAY: spec(port)})
            event = await made.until("port-taken")
        assert f"Port 127.0.0.1:{port} is taken by" in event.message
        assert f"(pid {os.getpid()} of" in event.message
        assert f"Gateway {GATEWAY} can't listen there" in event.message
        # It is free now, and found to be so.
        await asyncio.wait_for(made.fleet.wait_ready(), SECONDS)
        assert len(made.told("port-taken")) == 1


async def test_what_the_admin_interface_says(tmp_path: Path, port: int) -> None:
    async with slow_upstream(0.0) as (upstream, _), running(tmp_path) as made:
        await made.ready(edge=spec(port, upstream))
        assert await get(port, "/up") == "slow"
        async with Admin(made.fleet.statuses()[0].admin) as admin:
            assert await admin.is_ready()
            assert (await admin.server_info())["node"]["cluster"] == GATEWAY
            up = next(each for each in await admin.clusters() if each.name == "up")
            (endpoint,) = up.endpoints
            assert endpoint.address == f"127.0.0.1:{upstream}"
            assert endpoint.healthy
            stats = await admin.stats(r"^cluster\.up\.")
            assert stats["cluster.up.upstream_rq_total"] == 1
            assert stats["cluster.up.membership_healthy"] == 1
            assert len(await admin.stats()) < 250
            assert await admin.busy() == 0
