"""Many proxies: 500 streams on one process, one change, and when the last of them has it.

The clients are light ones in a process of their own, each subscribed to the load assignment that
changes; Serai has its Envoy besides.  Serai's clock starts when its source is told.  Round by round
the floor sends the same bytes to as many clients, by gRPC's own server.  Then once more with a
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
from bench.floor import Floor
from bench.light import Round
from bench.processes import Child
from bench.worlds import WAYPOINT, Manifest, endpoints_of, service
from serai.xds.resource import ResourceKey, ResourceType

if TYPE_CHECKING:
    from bench.floor import Changes
    from bench.stage import Stage

PAUSE = 0.1
"""Seconds after a change in which everything is acknowledged."""
PATIENCE = 60.0


class Seen:
    """Rounds of one server."""

    def __init__(self) -> None:
        self.medians: list[float] = []
        self.lasts: list[float] = []
        self.cpu = 0.0
        """Seconds of CPU time, from each change until everything was acknowledged."""

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

    async def change(self) -> Changes:
        """Other endpoints than ever before; no request goes there."""
        self._changes += 1
        port = 1024 + self._changes
        told = endpoints_of(self._number, port, 1)
        made = await self._stage.serai.change(told, *([] if self._changes > 1 else self.all()))
        return made.committed.resources[WAYPOINT]

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
    fan, floor, streams = Fan(stage), Floor(), stage.runs.streams
    floor.put(await fan.change())
    floor_path = path + ".f"
    await floor.start(f"unix:{floor_path}")
    serai, beside, slow = Seen(), Seen(), Seen()
    before = resident()
    async with _clients(path, fan, streams) as ours:
        memory = resident() - before
        async with _clients(floor_path, fan, streams) as theirs:
            for _ in range(stage.runs.rounds):
                changed = await _in_serai(fan, ours, serai)
                await _at_floor(fan, floor, theirs, beside, changed)
    await floor.stop()
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


async def _in_serai(fan: Fan, clients: Clients, seen: Seen) -> Changes:
    cpu, began = time.process_time(), time.monotonic()
    changed = await fan.change()
    await _take(fan, clients, seen, changed, began)
    seen.cpu += time.process_time() - cpu
    return changed


async def _at_floor(fan: Fan, floor: Floor, clients: Clients, seen: Seen, changed: Changes) -> None:
    messages = floor.put(changed)
    cpu, began = time.process_time(), time.monotonic()
    floor.send(messages)
    await _take(fan, clients, seen, changed, began)
    seen.cpu += time.process_time() - cpu


async def _take(fan: Fan, clients: Clients, seen: Seen, changed: Changes, began: float) -> None:
    resource = changed[fan.key]
    assert resource is not None  # noqa: S101  # it has changed
    found = await clients.all_have(resource.version)
    seen.medians.append(found.median - began)
    seen.lasts.append(found.last - began)
    await asyncio.sleep(PAUSE)
