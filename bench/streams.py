"""Many proxies: 500 streams on one process, one change, and when the last of them has it.

The clients are light ones in a process of their own, each subscribed to the load assignment that
changes; Serai has its Envoy besides.  Serai's clock starts when its source is told.  Round by round
the floor, in a process of its own, sends the same bytes to as many clients, by gRPC's own server:
who is measured is not alone on the machine, but alone in its process.  Then once more with a
client beside them that subscribes and never reads again, and 1,000 changes that it does not take.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec

from bench.figures import Figures, resident, summary
from bench.floor import PAUSE, Sent
from bench.light import Round
from bench.processes import Child
from bench.worlds import WAYPOINT, Manifest, endpoints_of, service
from serai.xds.resource import Resource, ResourceKey, ResourceType

if TYPE_CHECKING:
    from bench.stage import Stage

PATIENCE = 60.0


class Seen:
    """Rounds of one server."""

    def __init__(self) -> None:
        self.medians: list[float] = []
        self.lasts: list[float] = []
        self.cpu = 0.0
        """Seconds of CPU time, from each change until everything was acknowledged."""

    def took(self, had: Round, began: float) -> None:
        """A round, and when it began (CLOCK_MONOTONIC)."""
        self.medians.append(had.median - began)
        self.lasts.append(had.last - began)

    def figures(self, streams: int) -> Figures:
        """Milliseconds, and microseconds for each stream."""
        return {
            "median": summary(self.medians, 1000),
            "last": summary(self.lasts, 1000),
            "cpu_us_a_stream": round(self.cpu / len(self.lasts) / streams * 1e6, 1),
        }


class Fan:
    """A service whose endpoints only these clients ask for, and how to change them."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._number = stage.size
        self._changes = 0
        self.key = ResourceKey(ResourceType.ENDPOINTS, f"kube_bench_s{self._number}_8000")

    async def change(self) -> Resource:
        """Other endpoints than ever before; no request goes there."""
        self._changes += 1
        port = 1024 + self._changes
        told = endpoints_of(self._number, port, 1)
        made = await self._stage.serai.change(told, *([] if self._changes > 1 else self.all()))
        resource = made.committed.resources[WAYPOINT][self.key]
        assert resource is not None  # noqa: S101  # it has changed
        return resource

    def all(self) -> list[Manifest]:
        """The objects of the service."""
        return service(self._number, 1024)[:1]

    async def remove(self) -> None:
        """Leave everything as it was."""
        await self._stage.serai.change(gone=service(self._number, 1024))


class Clients:
    """Light clients of one server."""

    def __init__(self, child: Child) -> None:
        self._child = child

    async def all_have(self, version: str) -> Round:
        """When they had a version; others that come before are passed over."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = msgspec.json.decode(await self._child.line(), type=Round)
                if found.version == version:
                    return found


async def measure(stage: Stage) -> Figures:
    """Serai and the floor in turn, then Serai with a slow client."""
    path = str(stage.serai.instance.instance.xds_socket)
    fan, streams = Fan(stage), stage.runs.streams
    first = await fan.change()
    serai, beside, slow = Seen(), Seen(), Seen()
    before = resident()
    async with _clients(path, fan, streams) as ours:
        memory = resident() - before
        async with (
            _floor(path + ".f", first) as floor,
            _clients(path + ".f", fan, streams) as theirs,
        ):
            for _ in range(stage.runs.rounds):
                changed = await _in_serai(fan, ours, serai)
                await _at_floor(floor, theirs, beside, changed)
    async with _clients(path, fan, streams, slow=1) as ours:
        before = resident()
        for _ in range(stage.runs.grown):
            await fan.change()
        await _in_serai(fan, ours, Seen())
        grown = resident() - before
        for _ in range(stage.runs.rounds):
            await _in_serai(fan, ours, slow)
    await fan.remove()
    return {
        "streams": streams,
        "serai": serai.figures(streams),
        "floor": beside.figures(streams),
        "with_a_slow_client": slow.figures(streams),
        "kib_a_stream": round(memory * 1024 / streams, 1),
        "slow_client_changes": stage.runs.grown,
        "slow_client_mib": round(grown, 1),
    }


@contextlib.asynccontextmanager
async def _clients(path: str, fan: Fan, count: int, slow: int = 0) -> AsyncIterator[Clients]:
    child = await Child.start("light", path, count, fan.key.name, slow)
    try:
        await child.line()
        await asyncio.sleep(PAUSE)
        yield Clients(child)
    finally:
        await child.stop()


@contextlib.asynccontextmanager
async def _floor(path: str, resource: Resource) -> AsyncIterator[Child]:
    child = await Child.start("floor", path)
    try:
        await child.line()
        child.write(resource)
        await child.line()
        yield child
    finally:
        await child.stop()


async def _in_serai(fan: Fan, clients: Clients, seen: Seen) -> Resource:
    cpu, began = time.process_time(), time.monotonic()
    changed = await fan.change()
    seen.took(await clients.all_have(changed.version), began)
    await asyncio.sleep(PAUSE)
    seen.cpu += time.process_time() - cpu
    return changed


async def _at_floor(floor: Child, clients: Clients, seen: Seen, changed: Resource) -> None:
    floor.write(changed)
    had = await clients.all_have(changed.version)
    sent = msgspec.json.decode(await floor.line(), type=Sent)
    seen.took(had, sent.began)
    seen.cpu += sent.cpu
