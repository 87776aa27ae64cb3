"""Cold start: from the first object until the Envoy has everything and answers for the last.

Begins when the source is told the first object in JSON, in a process that has imported Serai and
done nothing else.  The floor and the peers' shape start the same Envoy on bytes that are ready.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

from bench.figures import resident
from bench.prober import Watch
from bench.worlds import vip

if TYPE_CHECKING:
    from bench.figures import Figures
    from bench.processes import Prober
    from bench.product import Product
    from bench.stage import Stage


class Starts:
    """How long each took, in seconds, and how much memory they had then, in MiB."""

    def __init__(self) -> None:
        self.core = self.ready = self.cpu = self.floor = self.naive = 0.0
        self.serai_mib = self.envoy_mib = 0.0
        self.envoys: dict[str, psutil.Process] = {}

    async def of_serai(self, serai: Product, prober: Prober, port: int, size: int) -> None:
        """Wait until its Envoy has everything."""
        await started(prober, port, size)
        await serai.converged()
        self.ready = time.perf_counter() - serai.began
        self.cpu = time.process_time()
        self.core = serai.core_seconds[0]
        self.envoys["serai"] = serai.envoy()
        self.serai_mib = resident()
        self.envoy_mib = resident(self.envoys["serai"])


async def started(prober: Prober, port: int, size: int) -> None:
    """Return when the last service is answered for."""
    watch = Watch(port, vip(size - 1), "HTTP/1.1 200", fresh=True, patience=600)
    await prober.begin(watch)
    if not (await prober.shown()).at:
        raise SystemExit(f"an Envoy with {size} services did not answer")


async def measure(stage: Stage) -> Figures:
    """What was seen when everything was started."""
    await stage.others()
    starts = stage.starts
    envoys = {
        name: round(resident(process)) for name, process in starts.envoys.items() if name != "serai"
    }
    return {
        "core_s": [round(starts.core, 3)],
        "ready_s": [round(starts.ready, 3)],
        "floor_s": [round(starts.floor, 3)],
        "naive_s": [round(starts.naive, 3)] if starts.naive else [],
        "serai_mib": round(starts.serai_mib),
        "envoy_mib": {"serai": round(starts.envoy_mib), **envoys},
    }
