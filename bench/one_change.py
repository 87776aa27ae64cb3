"""One change until traffic shows it, in Serai, at the floor and in the peers' shape.

Serai's clock starts when its source is told of the object, in JSON; the others' when they send
bytes that were made before.  All clocks stop at the end of the first answer that shows the change,
which another process asks for some 1,500 times a second.  Each change is made to Serai, then to the
floor, then to the peers' shape, and so on: whatever disturbs one disturbs all.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from bench.changes import KINDS, Change, Kind, in_turn
from bench.figures import Figures, summary
from bench.prober import Shown, Watch
from bench.worlds import WAYPOINT, vip

if TYPE_CHECKING:
    from bench.floor import Changes
    from bench.stage import Beside, Stage

PAUSE = 0.005
"""Seconds after which an Envoy has done what a change leaves to be done."""


class Times:
    """Latencies in seconds, and what went wrong, of one contestant."""

    def __init__(self) -> None:
        self.seconds: dict[Kind, list[float]] = defaultdict(list)
        self.errors: dict[Kind, int] = defaultdict(int)
        self.last = ""

    def take(self, kind: Kind, began: float, shown: Shown) -> None:
        """What came of a change."""
        if not shown.at:
            raise SystemExit(f"a change ({kind}) was never seen; last: {shown.last or 'answers'}")
        if shown.asked == 1:
            raise SystemExit(f"a change ({kind}) was there before it was made")
        self.seconds[kind].append(shown.at - began)
        self.errors[kind] += shown.errors
        self.last = shown.last or self.last

    def figures(self) -> Figures:
        """Of each kind."""
        found: Figures = {
            kind: {**summary(self.seconds[kind], 1000), "errors": self.errors[kind]}
            for kind in KINDS
            if self.seconds[kind]
        }
        return found | {"last": self.last} if self.last else found


async def measure(stage: Stage) -> Figures:
    """All kinds, everybody in turn."""
    await stage.others()
    serai, floor, naive = Times(), Times(), Times()
    added: set[int] = set()
    for kind, run in in_turn(stage.runs.changes):
        what = stage.changing.change(kind, run)
        resources = await _in_serai(stage, what, serai)
        await _beside(stage, stage.floor, what, resources, floor)
        has_time = sum(naive.seconds[kind]) < stage.runs.naive_seconds
        if stage.naive and (what.number in added if kind == "remove" else has_time):
            added.add(what.number)
            await _beside(stage, stage.naive, what, resources, naive)
    return {"serai": serai.figures(), "floor": floor.figures(), "naive": naive.figures()}


async def _in_serai(stage: Stage, what: Change, times: Times) -> Changes:
    await stage.prober.begin(_watch(stage.ports.mesh, what, what.shows))
    began = time.perf_counter()
    made = await stage.serai.change(*what.told, gone=what.gone)
    times.take(what.kind, began, await stage.prober.shown())
    await asyncio.sleep(PAUSE)
    return made.committed.resources.get(WAYPOINT, {})


async def _beside(
    stage: Stage, beside: Beside, what: Change, resources: Changes, times: Times
) -> None:
    shows = what.shows
    if beside.naive is None:
        messages = beside.floor.put(resources)
    elif what.kind == "policy":
        shows = f"server: {what.number}-{len(times.seconds['policy'])}\r\n"
        messages = beside.naive.policy(what.number, shows.removeprefix("server: ").strip())
    else:
        messages = beside.naive.put(resources)
    watch = _watch_peers if beside.naive else _watch
    await stage.prober.begin(watch(beside.port, what, shows))
    began = time.perf_counter()
    beside.floor.send(messages)
    times.take(what.kind, began, await stage.prober.shown())
    await asyncio.sleep(PAUSE)


def _watch(port: int, what: Change, shows: str) -> Watch:
    return Watch(port, vip(what.number), shows, what.before, fresh=what.fresh)


def _watch_peers(port: int, what: Change, shows: str) -> Watch:
    """Likewise, where a port that nobody serves is a connection that is closed."""
    before = "closed" if what.kind == "add" else what.before
    shows = "closed" if what.kind == "remove" else shows
    fresh = what.fresh or what.kind == "policy"
    return Watch(port, vip(what.number), shows, before, fresh=fresh, closing=fresh)
