"""Every condition says which generation of its object it is about.

Gateway API: Condition.observedGeneration.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from casekit.case import Case, cases
from casekit.manifests import read_batch
from serai.api.meta import Key, Object
from serai.app.core import Core
from serai.status.values import written


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_conditions_follow_their_objects(case: Case) -> None:
    objects = read_batch(case.folder / "input.yaml").changed
    world = Core(case.settings)
    world.apply([_at(each, 7) for each in objects])
    assert _observed(world) <= {7}
    for each in objects:
        world.apply([_at(each, 8)])
        assert _of(world, each.key) <= {8}, f"{each.key} alone changed"
    assert _observed(world) <= {8}


def test_there_are_conditions_of_every_kind() -> None:
    kinds = set()
    for case in cases():
        world = Core(case.settings)
        world.apply(read_batch(case.folder / "input.yaml").changed)
        kinds |= {key.kind for key, _ in world.pipeline.statuses.items() if _of(world, key)}
    assert kinds >= {
        *("Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute"),
        *("BackendTLSPolicy", "GatewayClass", "TrafficPolicy"),
    }


def _at(obj: Object, generation: int) -> Object:
    metadata = msgspec.structs.replace(obj.metadata, generation=generation)
    return msgspec.structs.replace(obj, metadata=metadata)


def _observed(world: Core) -> set[int]:
    return {each for key, _ in world.pipeline.statuses.items() for each in _of(world, key)}


def _of(world: Core, key: Key) -> set[int]:
    status = world.pipeline.statuses.row(key)
    return set(_generations(written(status))) if status else set()


def _generations(value: Any) -> Iterator[int]:
    if isinstance(value, list):
        for each in value:
            yield from _generations(each)
    if isinstance(value, dict):
        if {"type", "status"} <= value.keys():
            yield value["observedGeneration"]
        for each in value.values():
            yield from _generations(each)
