"""Memory of both processes, and whether it grows with changes.

Resident memory after the start, and again after 1,000 changes of all kinds.  Serai's process is
the suite's too here (some 10 MiB); `from_files` has that of `serai run`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.changes import KINDS
from bench.figures import Figures, resident

if TYPE_CHECKING:
    from bench.stage import Stage

PAUSE = 0.002


async def measure(stage: Stage) -> Figures:
    """Before and after."""
    before = _resident(stage)
    each = stage.runs.grown // len(KINDS)
    for run in range(each):
        for kind in KINDS:
            what = stage.changing.change(kind, run)
            await stage.serai.change(*what.told, gone=what.gone)
            await asyncio.sleep(PAUSE)
    await asyncio.sleep(1)
    after = _resident(stage)
    return {
        "changes": each * len(KINDS),
        "started_mib": {
            "serai": round(stage.starts.serai_mib, 1),
            "envoy": round(stage.starts.envoy_mib, 1),
        },
        "before_mib": {"serai": round(before[0], 1), "envoy": round(before[1], 1)},
        "after_mib": {"serai": round(after[0], 1), "envoy": round(after[1], 1)},
    }


def _resident(stage: Stage) -> tuple[float, float]:
    return resident(), resident(stage.serai.envoy())
