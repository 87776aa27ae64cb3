"""The condition of services that ask for a waypoint.  Istio: istio.io/WaypointBound."""

from __future__ import annotations

from serai.api.meta import Key
from serai.attach.capture import Capture
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.model.service import Service
from serai.status.values import ConditionsStatus, condition

WAYPOINT_BOUND = "istio.io/WaypointBound"


def service_statuses(
    graph: Graph, captures: Node[Key, Capture], services: Node[Key, Service]
) -> Derived[Key, ConditionsStatus]:
    """The status of each Service and ServiceEntry that asks for a waypoint."""

    def status(reader: Reader, key: Key, capture: Capture) -> ConditionsStatus | None:
        service = reader.get(services, key)
        if capture.waypoint is None or service is None:
            return None
        return ConditionsStatus((condition(WAYPOINT_BOUND, capture.verdict, service.generation),))

    return mapped(graph, "statuses of services", captures, status)
