"""What one change costs: CPU time in Serai and in Envoy, resources and bytes.

Changes are made one after the other, each once the one before is done, with no requests meanwhile.
The CPU time is that of the whole processes (for Envoy in ticks of the kernel, 10 ms, over all
changes of a kind), less what they use in as long a time without changes.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from bench.changes import in_turn
from bench.figures import Figures, summary
from bench.worlds import WAYPOINT

if TYPE_CHECKING:
    from bench.product import Product
    from bench.stage import Stage

PAUSE = 0.01
"""Seconds after which Serai and Envoy have done all that a change leaves to be done."""


class Spent:
    """Seconds of CPU time of both processes, and of the clock."""

    def __init__(self, serai: Product) -> None:
        times = serai.envoy().cpu_times()
        self.serai, self.envoy = time.process_time(), times.user + times.system
        self.clock = time.perf_counter()

    def since(self, before: Spent) -> tuple[float, float, float]:
        """What was spent in between."""
        return (
            self.serai - before.serai,
            self.envoy - before.envoy,
            self.clock - before.clock,
        )


async def measure(stage: Stage) -> Figures:
    """All kinds, one after the other."""
    serai = stage.serai
    before = Spent(serai)
    for _ in range(stage.runs.cpu):
        await asyncio.sleep(PAUSE)
    idle = Spent(serai).since(before)
    found: Figures = {}
    made = in_turn(stage.runs.cpu)
    for kind in ("endpoint", "route", "policy", "add"):
        runs = [each for each in made if each[0] == kind or (kind, each[0]) == ("add", "remove")]
        found[kind] = await _measure(stage, runs, idle)
    return found


async def _measure(stage: Stage, runs: list[tuple[Any, int]], idle: tuple[float, ...]) -> Figures:
    serai = stage.serai
    serai.core_seconds.clear()
    resources = sent = largest = 0
    before = Spent(serai)
    for kind, run in runs:
        what = stage.changing.change(kind, run)
        made = await serai.change(*what.told, gone=what.gone)
        changed = made.committed.resources.get(WAYPOINT, {})
        size = sum(len(each.body) for each in changed.values() if each is not None)
        resources += len(changed)
        sent += size
        largest = max(largest, size)
        await asyncio.sleep(PAUSE)
    own, envoy, clock = Spent(serai).since(before)
    share = clock / idle[2]
    return {
        "n": len(runs),
        "serai_us": round((own - idle[0] * share) / len(runs) * 1e6),
        "envoy_us": round(max(0.0, envoy - idle[1] * share) / len(runs) * 1e6),
        "core_us": summary(serai.core_seconds, 1e6),
        "resources": round(resources / len(runs), 2),
        "bytes": round(sent / len(runs)),
        "most_bytes": largest,
    }
