"""What becomes of Envoys whose Serai died: adopted, replaced, ended, and none forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest

from live.envoys import (
    GATEWAY,
    SECONDS,
    SETTINGS,
    admin_address,
    content,
    end_what_names,
    free_port,
    get,
    owner,
    running,
    spec,
    spoil_records,
)
from serai.envoy.admin import Admin
from serai.envoy.bootstrap import bootstrap, render
from serai.envoy.launch import GatewaySpec
from serai.envoy.leftovers import stop_leftovers
from serai.envoy.pid import exited, pid_of
from serai.envoy.state import claim

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def _nothing_left_behind(tmp_path: Path) -> Iterator[None]:
    yield
    assert end_what_names(tmp_path) == []


@pytest.fixture
def port() -> int:
    return free_port()


async def test_killed_serai_leaves_an_envoy_that_serves_and_is_adopted(
    tmp_path: Path, port: int
) -> None:
    wanted = GatewaySpec(bootstrap=spec(port).bootstrap)
    async with owner(tmp_path, wanted) as (serai, pid):
        os.kill(serai, signal.SIGKILL)
        started = pid_of(pid)
    assert await get(port) == "hi"
    async with running(tmp_path) as made:
        assert await made.ready(edge=wanted) == pid
        assert [event.kind for event in made.events] == ["adopted", "ready"]
        assert pid_of(pid) == started
        # An adopted Envoy is no child of ours, and its death is noticed all the same.
        os.kill(pid, signal.SIGKILL)
        await made.until("died")
        await made.until("ready", 2)
        assert await get(port) == "hi"


async def test_one_with_other_settings_is_replaced_without_a_failed_request(
    tmp_path: Path, port: int
) -> None:
    if sys.platform != "linux":
        pytest.skip("elsewhere two Envoys can't share a port, so there is a gap")
    answers: list[str] = []

    async def load() -> None:
        async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
            while True:
                answer = await client.get(f"http://127.0.0.1:{port}/", timeout=SECONDS)
                answers.append(answer.raise_for_status().text)

    async with running(tmp_path) as first:
        old = await first.ready(edge=spec(port, body="old"))
        await first.fleet.detach()
        first.instance.release()
        async with running(tmp_path) as second:
            loading = asyncio.gather(*(load() for _ in range(4)))
            new = await second.ready(edge=spec(port, body="new"))
            await second.until("stopped")
            answers.append(await get(port))
            loading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loading
            kinds = [event.kind for event in second.events]
            assert kinds == ["outdated", "started", "ready", "draining", "stopped"]
        first.instance = claim(tmp_path, ["files"])  # type: ignore[assignment]
    assert old != new
    assert pid_of(old) is None
    assert set(answers) == {"old", "new"}
    assert answers[-1] == "new"


async def test_one_that_was_draining_when_serai_died_is_replaced(tmp_path: Path, port: int) -> None:
    wanted = GatewaySpec(bootstrap=spec(port).bootstrap)
    async with owner(tmp_path, wanted) as (serai, pid):
        os.kill(serai, signal.SIGKILL)
    async with Admin(admin_address(tmp_path)) as admin:
        await admin.stop_listening()
        await admin.fail_health_checks()
    async with running(tmp_path) as made:
        assert await made.ready(edge=wanted) != pid
        await made.until("stopped")
        assert pid_of(pid) is None
        assert await get(port) == "hi"


async def test_killed_in_the_middle_of_a_replacement_both_envoys_are_found(
    tmp_path: Path, port: int
) -> None:
    if sys.platform != "linux":
        pytest.skip("elsewhere two Envoys can't share a port")
    waiting = msgspec.json.decode(spec(port, body="new").bootstrap)
    waiting["dynamic_resources"] = bootstrap(SETTINGS)["dynamic_resources"]
    async with running(tmp_path) as first:
        old = await first.ready(edge=spec(port, body="old"))
        # Its control plane is nowhere, so it never becomes ready.
        await first.fleet.ensure({GATEWAY: GatewaySpec(bootstrap=render(waiting))})
        new = (await first.until("started", 2)).pid
        assert await get(port) in {"old", "new"}
        await first.fleet.detach()
        first.instance.release()
        async with running(tmp_path) as second:
            await second.fleet.ensure({GATEWAY: GatewaySpec(bootstrap=render(waiting))})
            assert (await second.until("adopted")).pid == new
            assert pid_of(old) is not None
            assert await second.ready(edge=spec(port, body="last")) not in {old, new}
            await second.until("stopped", 2)
            assert await get(port) == "last"
        first.instance = claim(tmp_path, ["files"])  # type: ignore[assignment]


async def test_an_envoy_without_a_record_is_ended_not_forgotten(tmp_path: Path, port: int) -> None:
    wanted = GatewaySpec(bootstrap=spec(port).bootstrap)
    async with owner(tmp_path, wanted) as (_, pid):
        pass
    spoil_records(tmp_path)
    async with running(tmp_path) as made:
        assert await made.ready(edge=wanted) != pid
        await made.until("stopped")
        assert pid_of(pid) is None
        assert await get(port) == "hi"


@pytest.mark.parametrize("binding", ["kernel", "watchdog"])
async def test_an_envoy_bound_to_us_ends_when_we_are_killed(
    tmp_path: Path, port: int, binding: str
) -> None:
    if binding == "kernel" and sys.platform != "linux":
        pytest.skip("PR_SET_PDEATHSIG is Linux's")
    async with owner(tmp_path, spec(port), binding) as (serai, number):
        pid = pid_of(number)
        assert pid is not None
        os.kill(serai, signal.SIGKILL)
        async with asyncio.timeout(SECONDS):
            await exited(pid)
    assert pid_of(number) is None


async def test_leftovers_are_ended_and_the_living_left_alone(tmp_path: Path, port: int) -> None:
    async with owner(tmp_path, spec(port)) as (serai, pid):
        alone = await stop_leftovers(tmp_path)
        assert alone.ended == ()
        assert f"pid {serai}" in alone.problems[0].message
        assert await get(port) == "hi"
        os.kill(serai, signal.SIGKILL)
    assert (await stop_leftovers(tmp_path, only="another")).ended == ()
    result = await stop_leftovers(tmp_path)
    assert [(each.gateway, each.pid) for each in result.ended] == [(GATEWAY, pid)]
    assert result.problems == ()
    assert pid_of(pid) is None
    assert [path.name for path in content(tmp_path)] == ["owner.bootstrap"]
    assert (await stop_leftovers(tmp_path)).ended == ()
