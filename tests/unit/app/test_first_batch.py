"""The first objects are applied in portions, and what comes of them is the same."""

from __future__ import annotations

import pytest

from property.counted import world
from serai.app import core as app
from serai.app.core import Committed, Core
from serai.model.settings import Settings
from serai.xds.resource import ResourceType

SERVICES = 23


def applied() -> tuple[Core, Committed]:
    core = Core(Settings())
    return core, core.apply(world(SERVICES))


@pytest.mark.parametrize("portion", [1, 7, SERVICES, 10 * SERVICES])
def test_what_comes_of_portions_is_what_comes_of_all(
    monkeypatch: pytest.MonkeyPatch, portion: int
) -> None:
    monkeypatch.setattr(app, "PORTION", portion)
    whole, told = applied()
    core = Core(Settings())
    parts = list(core.begin(world(SERVICES)))

    assert dict(core.pipeline.snapshot.items()) == dict(whole.pipeline.snapshot.items())
    assert dict(core.pipeline.statuses.items()) == dict(whole.pipeline.statuses.items())
    assert dict(core.pipeline.problems.items()) == dict(whole.pipeline.problems.items())
    assert core.addresses == whole.addresses
    *_, last = parts
    assert last.vips == told.vips
    assert set(last.statuses) == set(told.statuses)
    assert set(last.wishes) == set(told.wishes)
    assert last.problems >= told.problems
    resources = [part.resources for part in parts]
    together = {
        proxy: {key: each for part in resources for key, each in part.get(proxy, {}).items()}
        for proxy in told.resources
    }
    assert together == told.resources


def test_a_service_gets_the_same_address_however_they_are_divided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    objects = list(world(SERVICES))
    found = []
    for portion in (2, SERVICES):
        monkeypatch.setattr(app, "PORTION", portion)
        core = Core(Settings())
        *_, last = core.begin(objects)
        found.append(last.vips)
    assert found[0] == found[1]


def test_mostly_a_cluster_is_sent_as_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "PORTION", 4)
    times: dict[object, int] = {}
    for part in Core(Settings()).begin(world(SERVICES)):
        for proxy, changes in part.resources.items():
            for key in changes:
                if key.type in {ResourceType.CLUSTER, ResourceType.ENDPOINTS}:
                    times[proxy, key] = times.get((proxy, key), 0) + 1
    again = {key for key, count in times.items() if count > 1}
    assert not again


def test_nothing_to_begin_with_is_one_portion() -> None:
    (only,) = Core(Settings()).begin([])
    assert not only.resources
