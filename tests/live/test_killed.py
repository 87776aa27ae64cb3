"""Serai is killed, started again, and stopped, while its Envoys serve."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import dedent

import pytest

from live.envoys import free_port
from live.mesh import entry, mesh
from live.processes import kill, running
from live.serving import SECONDS, Place, eventually, request, workload
from serai.app.client.http import Entry, HttpAnswer, send
from serai.echo.server import echo
from serai.envoy.leftovers import stop_leftovers
from serai.envoy.pid import processes

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
async def _nothing_is_left(tmp_path: Path) -> AsyncIterator[None]:
    """Envoys here outlive their `serai run`, so a test that fails must not leave them."""
    yield
    await stop_leftovers(tmp_path / "state", drain_seconds=None)


def envoys(state: Path) -> list[int]:
    """The Envoys of this test that run."""
    return [pid.number for pid, command in processes() if any(str(state) in c for c in command)]


class Load:
    """Requests without a pause, each over a connection of its own."""

    def __init__(self, way_in: Entry) -> None:
        self._way_in = way_in
        self.good = 0
        self.bad: list[object] = []
        self._answered = asyncio.Event()

    async def run(self) -> None:
        while True:
            found = await send(self._way_in, request("/", "x"), SECONDS)
            if isinstance(found, HttpAnswer) and found.status == 200:
                self.good += 1
            else:
                self.bad.append(found)
            self._answered.set()
            await asyncio.sleep(0.002)

    async def goes_on(self, answers: int = 20) -> None:
        """Return once that many more requests were answered, well or badly."""
        async with asyncio.timeout(SECONDS):
            for _ in range(answers):
                self._answered.clear()
                await self._answered.wait()


async def test_killed_and_started_again_under_load_no_request_fails(tmp_path: Path) -> None:
    place = Place()
    folder, state, one = tmp_path / "manifests", tmp_path / "state", place.address()
    folder.mkdir()
    (folder / "mesh.yaml").write_text(dedent(mesh(place)))
    (folder / "pay.yaml").write_text(dedent(entry("pay", "240.0.0.7", one)))
    load = Load(Entry(connect=(place.gateway, 15088), destination=("240.0.0.7", 8000)))
    async with echo([workload(one, 3000, "one")]):
        async with running(folder, state) as first:
            before = envoys(state)
            loading = asyncio.create_task(load.run())
            await load.goes_on()
            await kill(first)
            await load.goes_on()
            assert envoys(state) == before
        async with running(folder, state) as second:
            assert envoys(state) == before
            (folder / "more.yaml").write_text(dedent(entry("more", "240.0.0.8", one)))
            way_in = Entry(connect=(place.gateway, 15088), destination=("240.0.0.8", 8000))
            await eventually(
                lambda: send(way_in, request("/", "x")), lambda found: found.status == 200
            )
            await load.goes_on()
            loading.cancel()
            second.terminate()
            await asyncio.wait_for(second.communicate(), SECONDS)
            assert second.returncode == 0
    assert load.bad == []
    assert envoys(state) == []


async def test_stop_ends_what_a_killed_one_left_and_spares_the_living(tmp_path: Path) -> None:
    place = Place()
    folder, state = tmp_path / "manifests", tmp_path / "state"
    folder.mkdir()
    (folder / "mesh.yaml").write_text(dedent(mesh(place)))

    async def stop() -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "serai", "stop"),
            env={**os.environ, "SERAI_STATE": str(state)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), SECONDS)
        return process.returncode, said.decode()

    async with running(folder, state) as process:
        code, said = await stop()
        assert (code, len(envoys(state))) == (1, 1)
        assert f"(pid {process.pid})" in said
        await kill(process)
        assert len(envoys(state)) == 1
    assert (await stop())[0] == 0
    assert envoys(state) == []
    assert "nothing was left" in (await stop())[1]


async def test_a_port_that_is_taken_is_told_and_served_once_it_is_free(tmp_path: Path) -> None:
    place = Place()
    folder, state, one = tmp_path / "manifests", tmp_path / "state", place.address()
    folder.mkdir()
    (folder / "mesh.yaml").write_text(dedent(mesh(place)))
    (folder / "pay.yaml").write_text(dedent(entry("pay", "240.0.0.7", one)))
    way_in = Entry(connect=(place.gateway, 15088), destination=("240.0.0.7", 8000))
    async with echo([workload(one, 3000, "one")]):
        async with echo([workload(place.gateway, 15088, "squatter")]):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "serai", "run", str(folder), "--bind-life"),
                *("--admin", f"127.0.0.1:{free_port()}"),
                env={**os.environ, "SERAI_STATE": str(state)},
                stderr=asyncio.subprocess.PIPE,
            )
            assert process.stderr is not None
            said = b""
            async with asyncio.timeout(3 * SECONDS):
                while b"SER0904" not in said or b"kill" not in said:
                    said += await process.stderr.readline()
            assert f"(pid {os.getpid()}".encode() in said
        try:
            await eventually(
                lambda: send(way_in, request("/", "x")), lambda found: found.status == 200
            )
        finally:
            process.terminate()
            await asyncio.wait_for(process.communicate(), SECONDS)
    assert envoys(state) == []
