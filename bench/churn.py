"""Churn: 1,000 changes a second for a minute, and what becomes of one more change meanwhile.

Of ten changes eight are of endpoints, one of a route, one of a policy, spread over all services.
Twice a second one more endpoint change is made, and it is seen how long it takes until traffic
shows it.  Every second it is counted what Serai was told of and has not applied, and what Envoy was
not sent or has not acknowledged: whether the queues grow.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bench import worlds
from bench.changes import SPREAD
from bench.cpu import Spent
from bench.figures import Figures, summary
from bench.prober import Shown, Watch
from bench.worlds import WAYPOINT, Manifest, vip

if TYPE_CHECKING:
    from bench.stage import Stage

TICK = 0.01
"""Seconds between two handfuls of changes."""


class Churn:
    """What happened during it."""

    def __init__(self) -> None:
        self.told = 0
        self.late = 0.0
        """Seconds that we were behind in telling, at worst."""
        self.backlog: list[int] = []
        self.seconds: list[float] = []
        self.errors = 0


async def measure(stage: Stage) -> Figures:
    """A minute of it."""
    await stage.alone()
    found = Churn()
    pushed = stage.serai.server.counts.pushed
    before = Spent(stage.serai)
    async with asyncio.timeout(stage.runs.churn_seconds + 120):
        telling = asyncio.create_task(_tell(stage, found))
        counting = asyncio.create_task(_count(stage, found))
        run = 0
        while not telling.done():
            await _probe(stage, found, run)
            run += 1
            await asyncio.sleep(0.5)
        await telling
        counting.cancel()
        began = time.perf_counter()
        await stage.serai.converged()
        settled = time.perf_counter() - began
    own, envoy, clock = Spent(stage.serai).since(before)
    half = len(found.backlog) // 2
    return {
        "seconds": stage.runs.churn_seconds,
        "told": found.told,
        "rate": round(found.told / (clock - settled)),
        "late_ms": round(found.late * 1000, 1),
        "sent": stage.serai.server.counts.pushed - pushed,
        "probe": {**summary(found.seconds, 1000), "errors": found.errors},
        "backlog": {
            "first_half_max": max(found.backlog[:half], default=0),
            "second_half_max": max(found.backlog[half:], default=0),
        },
        "settled_ms": round(settled * 1000, 1),
        "serai_cores": round(own / clock, 3),
        "envoy_cores": round(envoy / clock, 3),
    }


async def _tell(stage: Stage, found: Churn) -> None:
    began = time.perf_counter()
    handful = max(1, round(stage.runs.churn_rate * TICK))
    while (now := time.perf_counter() - began) < stage.runs.churn_seconds:
        due = min(found.told + 10 * handful, round(now * stage.runs.churn_rate))
        found.late = max(found.late, now - found.told / stage.runs.churn_rate)
        stage.serai.tell(_changed(stage, number) for number in range(found.told, due))
        found.told = due
        await asyncio.sleep(TICK)


def _changed(stage: Stage, number: int) -> Manifest:
    """One of very many changes."""
    # The first services are those of the probes.
    service = SPREAD + number % (stage.size - SPREAD)
    again = number // (stage.size - SPREAD)
    match number % 10:
        case 8:
            return worlds.route(service, f"churn-{again}")
        case 9:
            return worlds.policy(service, f"churn-{again}")
        case _:
            return worlds.endpoints_of(service, stage.ports.endpoints, 2 - again % 2)


async def _probe(stage: Stage, found: Churn, run: int) -> None:
    what = stage.changing.change("endpoint", run)
    await stage.prober.begin(Watch(stage.ports.mesh, vip(what.number), what.shows, what.before))
    began = time.perf_counter()
    stage.serai.tell(what.told)
    shown: Shown = await stage.prober.shown()
    found.seconds.append(shown.at - began)
    found.errors += shown.errors


async def _count(stage: Stage, found: Churn) -> None:
    while True:
        clients = [each for each in stage.serai.server.clients() if each.proxy == WAYPOINT]
        unsent = sum(each.pending for client in clients for each in client.types)
        found.backlog.append(len(stage.serai.waiting) + unsent)
        await asyncio.sleep(1)
