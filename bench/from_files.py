"""Cold start from YAML: from ``serai run FOLDER`` until its Envoy answers for the last service.

``python -m bench.from_files SIZE RUNS`` prints a line of JSON.  The process is the one that users
start, so that its memory is Serai's alone.  Then files are saved, each as an editor does it: until
traffic shows the endpoint in it.  And files with a new service each are written beside them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psutil

from bench.changes import SPREAD, Change, Changing
from bench.cold_start import started
from bench.figures import Figures, Result, machine_load, resident, summary
from bench.plan import RUNS
from bench.prober import Watch
from bench.processes import Prober, free_port, prober, upstream
from bench.worlds import Ports, text_of, vip, write

SAVED = 30
PAUSE = 0.15
"""Seconds between two saves, after which nothing is gathered any more."""
SETTLED = 2.0
"""Seconds after which memory is looked at."""


async def measure(size: int, saves: int) -> Figures:
    """Start it, look at it, save a file some times."""
    ports = Ports(free_port(), free_port())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name) / "manifests"
        folder.mkdir()
        documents = write(folder, size, ports)
        async with upstream(ports.endpoints), prober() as asked:
            began = time.perf_counter()
            async with _run(folder, Path(name) / "state") as serai:
                await started(asked, ports.mesh, size)
                ready = time.perf_counter() - began
                await asyncio.sleep(SETTLED)
                envoy = next(each for each in serai.children(recursive=True) if _is_envoy(each))
                figures = {
                    "documents": documents,
                    "ready_s": round(ready, 2),
                    "serai_cpu_s": round(sum(serai.cpu_times()[:2]), 2),
                    "serai_mib": round(resident(serai), 1),
                    "envoy_mib": round(resident(envoy), 1),
                }
                changing = Changing(size, ports)
                saved = [await _save(folder, asked, ports, changing, run) for run in range(saves)]
                made = [await _make(folder, asked, ports, changing, run) for run in range(saves)]
    return figures | {"saved": summary(saved, 1000), "made": summary(made, 1000)}


@contextlib.asynccontextmanager
async def _run(folder: Path, state: Path) -> AsyncIterator[psutil.Process]:
    command = (sys.executable, "-m", "serai", "run", str(folder), "--bind-life", "--admin")
    process = await asyncio.create_subprocess_exec(
        *command,
        "127.0.0.1:0",
        "--drain-seconds=1",
        env={**os.environ, "SERAI_STATE": str(state)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _is_envoy(process: psutil.Process) -> bool:
    return process.name().startswith("envoy")


async def _save(folder: Path, asked: Prober, ports: Ports, changing: Changing, run: int) -> float:
    """Seconds from the rename of a file until traffic shows what is in it."""
    what = changing.change("endpoint", run)
    path = folder / f"s{run % SPREAD}.yaml"
    group = what.shows.strip().removeprefix("127.99.")[0]
    other = "1" if group == "2" else "2"
    text = path.read_text().replace(f"127.99.{other}.", f"127.99.{group}.")
    return await _put(path, text, asked, ports, what)


async def _make(folder: Path, asked: Prober, ports: Ports, changing: Changing, run: int) -> float:
    """Seconds from when a file with a new service is there until traffic reaches it."""
    what = changing.change("add", run)
    return await _put(folder / f"new{run}.yaml", text_of(what.number, ports), asked, ports, what)


async def _put(path: Path, text: str, asked: Prober, ports: Ports, what: Change) -> float:
    draft = path.with_name(".draft")
    draft.write_text(text)
    watch = Watch(ports.mesh, vip(what.number), what.shows, what.before, fresh=what.fresh)
    await asked.begin(watch)
    began = time.perf_counter()
    draft.rename(path)
    shown = await asked.shown()
    await asyncio.sleep(PAUSE)
    return shown.at - began


def main(size: int, runs: str) -> None:
    """Measure one size."""
    began, load = time.perf_counter(), machine_load()
    saves = min(SAVED, RUNS[runs].changes)
    figures = asyncio.run(measure(size, saves))
    took = round(time.perf_counter() - began, 1)
    print(msgspec.json.encode(Result("from_files", size, figures, took, load)).decode())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
