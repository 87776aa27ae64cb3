"""An object of which Envoy refused several resources is told of all of them."""

from __future__ import annotations

from property.counted import world
from serai.api.meta import Key
from serai.app.core import Core
from serai.ir.origin import Origin
from serai.model.settings import Settings
from serai.xds.refusals import Refusal
from serai.xds.resource import ResourceKey, ResourceType
from serai.xds.snapshot import SnapshotKey

WAYPOINT, ROUTE = Key("Gateway", "shop", "waypoint"), Key("HTTPRoute", "shop", "p0")


def test_resources_of_several_types_may_be_refused_of_one_object() -> None:
    core = Core(Settings())
    core.apply(world(4))
    for type_ in (ResourceType.ROUTES, ResourceType.CLUSTER, ResourceType.LISTENER):
        resource = ResourceKey(type_, "some")
        refusal = Refusal(resource, "no", (Origin(ROUTE), Origin(WAYPOINT)))
        core.pipeline.refusals.put(SnapshotKey(WAYPOINT, *resource), refusal)
    core.commit()
    assert not core.pipeline.graph.failures
    told = [each for _, each in core.pipeline.problems.items() if each.code == "SER0701"]
    assert {each.key for each in told} == {ROUTE, WAYPOINT}


def problems(core: Core) -> dict[Key | None, str]:
    return {
        row.key: row.message for _, row in core.pipeline.problems.items() if row.key == WAYPOINT
    }


def test_of_two_refusals_of_an_object_the_other_remains_when_one_goes() -> None:
    core = Core(Settings())
    core.apply(world(4))
    found = {
        ResourceKey(ResourceType.LISTENER, name): Refusal(
            ResourceKey(ResourceType.LISTENER, name),
            f"{name} is taken.",
            (Origin(WAYPOINT),),
            code="SER0904",
        )
        for name in ("one", "two")
    }
    for resource, refusal in found.items():
        core.pipeline.refusals.put(SnapshotKey(WAYPOINT, *resource), refusal)
    core.commit()
    assert problems(core) == {WAYPOINT: "one is taken. two is taken."}
    one, two = (SnapshotKey(WAYPOINT, *resource) for resource in found)
    core.pipeline.refusals.drop(one)
    core.commit()
    assert problems(core) == {WAYPOINT: "two is taken."}
    core.pipeline.refusals.drop(two)
    core.commit()
    assert problems(core) == {}
