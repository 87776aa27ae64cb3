"""A storm: 1,000 endpoints change at once; until Envoy has acknowledged the last of them.

Serai is told of 1,000 objects one by one, without a pause.  The floor sends the same bytes,
made before, as one response and as a response for each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.figures import Figures, summary
from bench.product import said
from bench.worlds import endpoints_of
from serai.xds.resource import ResourceType

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.floor import Changes, Floor, Message
    from bench.product import Said
    from bench.stage import Stage

PAUSE = 0.2
"""Seconds between two storms."""
PATIENCE = 30.0


async def measure(stage: Stage) -> Figures:
    """As many storms as there should be."""
    await stage.others()
    size = min(stage.runs.storm, stage.size)
    serai, together, apart = [], [], []
    lost = False
    """Whether Envoy, flooded by the floor, has owed an answer for good: it is not tried again."""
    for storm in range(stage.runs.storms):
        group = 2 - storm % 2
        told = [said(endpoints_of(each, stage.ports.endpoints, group)) for each in range(size)]
        stage.changing.have(range(size), group)
        before = _endpoints(stage)
        serai.append(await _in_serai(stage, told))
        await asyncio.sleep(PAUSE)
        changed = {
            key: resource
            for key, resource in _endpoints(stage).items()
            if before.get(key) != resource
        }
        floor = stage.floor.floor
        every = [message for key in changed for message in floor.put({key: changed[key]})]
        together.append(await _at_floor(floor, floor.put(changed)))
        await asyncio.sleep(PAUSE)
        if not lost:
            try:
                apart.append(await _at_floor(floor, every))
            except TimeoutError:
                lost = True
        await asyncio.sleep(PAUSE)
    return {
        "changes": size,
        "serai": summary(serai, 1000),
        "floor": summary(together, 1000),
        "floor_one_by_one": summary(apart, 1000),
    }


def _endpoints(stage: Stage) -> Changes:
    """All there are of Serai's."""
    found = stage.serai.resources().items()
    return {key: resource for key, resource in found if key.type is ResourceType.ENDPOINTS}


async def _in_serai(stage: Stage, told: list[Said]) -> float:
    serai = stage.serai
    published, acknowledged = serai.published, serai.server.counts.acknowledged
    began = time.perf_counter()
    serai.tell_encoded(told)

    def is_over() -> bool:
        done = serai.server.counts.acknowledged - acknowledged
        return not serai.waiting and done >= serai.published - published

    await _until(is_over)
    return time.perf_counter() - began


async def _at_floor(floor: Floor, messages: Sequence[Message]) -> float:
    wanted = floor.acknowledged + len(messages)
    began = time.perf_counter()
    floor.send(messages)
    await _until(lambda: floor.acknowledged >= wanted)
    return time.perf_counter() - began


async def _until(is_over: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_over():
            await asyncio.sleep(0.001)
