"""Worlds of many services, and which collections a change touches."""

from __future__ import annotations

from serai.api.core import Namespace
from serai.api.gateway import Gateway, GatewaySpec
from serai.api.meta import Object, ObjectMeta
from serai.api.networking import (
    ServiceEntry,
    ServiceEntryPort,
    ServiceEntrySpec,
    WorkloadEntrySpec,
)
from serai.app.core import Core
from serai.model.settings import Settings
from serai.xds.resource import ResourceType


def entry(name: str, vip: str, protocol: str = "HTTP", endpoint: str = "10.0.0.1") -> ServiceEntry:
    return ServiceEntry(
        ObjectMeta(name, "shop"),
        ServiceEntrySpec(
            hosts=(f"{name}.example",),
            addresses=(vip,),
            ports=(ServiceEntryPort(80, "p", protocol),),
            resolution="STATIC",
            endpoints=(WorkloadEntrySpec(endpoint),),
        ),
    )


def captured() -> Core:
    """A waypoint of a namespace, and two services that it has captured."""
    made = Core(Settings())
    made.apply(
        [
            Namespace(ObjectMeta("shop", labels={"istio.io/use-waypoint": "waypoint"})),
            Gateway(ObjectMeta("waypoint", "shop"), GatewaySpec("serai-waypoint")),
            entry("one", "10.9.0.1"),
            entry("db", "10.9.0.2", "TCP"),
        ]
    )
    return made


def touched(core: Core, *objects: Object) -> dict[ResourceType, list[str]]:
    changes = core.apply(objects).resources.get("shop/waypoint", {})
    found: dict[ResourceType, list[str]] = {}
    for key in sorted(changes, key=lambda key: key.name):
        found.setdefault(key.type, []).append(key.name)
    return found
