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
