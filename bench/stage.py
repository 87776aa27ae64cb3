"""One size in a process of its own: Serai with its Envoy, and beside them the floor and the peer.

``python -m bench.stage SIZE RUNS MEASUREMENT...`` prints a line of JSON for each measurement.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.changes import Changing
from bench.cold_start import Starts, started
from bench.figures import Figures, Result, machine_load, summary
from bench.floor import Floor, at_port
from bench.peers.naive import Naive
from bench.plan import RUNS, Runs, measurement
from bench.processes import Prober, free_port, load, prober, upstream
from bench.product import Product, envoy_of, product, run_envoy, said
from bench.worlds import Ports, world
from serai.telemetry.logging import configure


class Beside(NamedTuple):
    """Another control plane with an Envoy of the same kind."""

    port: int
    """Where its Envoy listens."""
    floor: Floor
    naive: Naive | None = None


class Stage:
    """What is measured, and what it is measured with."""

    def __init__(self, size: int, runs: Runs, ports: Ports, folder: Path) -> None:
        self.size, self.runs, self.ports, self.folder = size, runs, ports, folder
        self.changing = Changing(size, ports)
        self.starts = Starts()
        self.serai: Product
        self.prober: Prober
        self.floor: Beside
        self.naive: Beside | None = None
        self.beside = contextlib.AsyncExitStack()
        """What runs until nobody is compared with any more."""
        self._has_others = False

    async def others(self) -> None:
        """Start whom Serai is compared with, on the resources that Serai has its Envoy have."""
        if self._has_others:
            return
        self._has_others = True
        resources = self.serai.resources()
        port = free_port()
        floor = Floor()
        floor.put(at_port(resources, port, instead_of=self.ports.mesh))
        self.floor = Beside(port, floor)
        self.starts.floor = await self._start("floor", self.floor)
        if self.size <= self.runs.naive_up_to:
            port = free_port()
            naive = Naive(resources, port, instead_of=self.ports.mesh)
            self.naive = Beside(port, naive.floor, naive)
            self.starts.naive = await self._start("naive", self.naive)

    async def alone(self) -> None:
        """End them; what they leave to the collector is none of Serai's pauses."""
        await self.beside.aclose()
        gc.collect()
        self.serai.pauses.forget()

    async def _start(self, name: str, beside: Beside) -> float:
        socket, fleet = await self.beside.enter_async_context(envoy_of(self.folder, name))
        self.beside.push_async_callback(beside.floor.stop)
        await beside.floor.start(f"unix:{socket}")
        began = time.perf_counter()
        self.starts.envoys[name] = await run_envoy(fleet, socket, name)
        await started(self.prober, beside.port, self.size)
        return time.perf_counter() - began


@contextlib.asynccontextmanager
async def stage(size: int, runs: Runs) -> AsyncIterator[Stage]:
    """Everything for one size; Serai's Envoy has all of it when the block begins."""
    ports = Ports(free_port(), free_port())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        found = Stage(size, runs, ports, Path(name))
        objects = [said(manifest) for manifest in world(size, ports)]
        async with (
            upstream(ports.endpoints),
            prober() as found.prober,
            product(found.folder, objects) as found.serai,
            found.beside,
        ):
            await found.starts.of_serai(found.serai, found.prober, ports.mesh, size)
            yield found


async def measure(size: int, runs: Runs, names: list[str]) -> None:
    """Each measurement, one after the other; what is found is printed at once."""
    async with stage(size, runs) as found:
        for name in names:
            told(f"{size:>6} services  {name}")
            began = time.perf_counter()
            before = machine_load()
            figures = await _measure(found, name)
            took = time.perf_counter() - began
            result = Result(name, size, figures, round(took, 1), before)
            print(msgspec.json.encode(result).decode(), flush=True)


async def _measure(found: Stage, name: str) -> Figures:
    module: Any = importlib.import_module(measurement(name).module)
    found.serai.pauses.forget()
    if not measurement(name).loaded:
        figures: Figures = await module.measure(found)
    else:
        async with load(found.ports.mesh, found.size, found.runs.requests) as counted:
            figures = await module.measure(found)
        figures["requests"] = {
            "asked": counted.asked,
            "failed": counted.failed,
            "last": counted.last,
            "ms": summary(counted.seconds, 1000),
        }
    if name != "cold_start":  # whoever Serai is compared with is made in this process then
        figures["gc_pause_ms"] = round(found.serai.pauses.longest * 1000, 2)
        figures["gc_generation"] = found.serai.pauses.generation
    return figures


def told(text: str) -> None:
    """Say how far it is, where no figures are printed."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def main(size: str, runs: str, *names: str) -> None:
    """Measure one size."""
    configure("error")
    asyncio.run(measure(int(size), RUNS[runs], list(names)))


if __name__ == "__main__":
    main(*sys.argv[1:])
