"""Where the time of one change goes: ``python -m bench.profile SIZE KIND CHANGES``.

Makes changes of a kind (endpoint, route, policy) one after the other, as bench.cpu does, and prints
the functions in which Serai's process spends most, by its own time and by that of what it calls.
Python's profiler makes every call dearer, so shares are to be read, not times.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import sys
import tempfile
from pathlib import Path
from typing import get_args

from bench.changes import Changing, Kind
from bench.processes import free_port, upstream
from bench.product import product, said
from bench.worlds import Ports, world
from serai.telemetry.logging import configure

SHOWN = 45
PAUSE = 0.01


async def profile(size: int, kind: Kind, changes: int) -> cProfile.Profile:
    """Of that many changes, once Envoy has everything."""
    ports = Ports(free_port(), free_port())
    changing, found = Changing(size, ports), cProfile.Profile()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        objects = [said(manifest) for manifest in world(size, ports)]
        async with upstream(ports.endpoints), product(Path(folder), objects) as serai:
            await serai.converged()
            for run in range(changes * 2):
                if run == changes:
                    found.enable()
                what = changing.change(kind, run)
                await serai.change(*what.told, gone=what.gone)
                await asyncio.sleep(PAUSE)
            found.disable()
    return found


def main(size: str, kind: str, changes: str) -> None:
    """Print both tables."""
    configure("error")
    wanted = next(each for each in get_args(Kind) if each == kind)
    found = asyncio.run(profile(int(size), wanted, int(changes)))
    for order in ("cumulative", "tottime"):
        pstats.Stats(found).sort_stats(order).print_stats(SHOWN)


if __name__ == "__main__":
    main(*sys.argv[1:])
