"""The condition of services that ask for a waypoint.  Istio: istio.io/WaypointBound."""

from __future__ import annotations

from serai.api.meta import Key
from serai.attach.capture import Capture
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.status.values import ConditionsStatus, condition

WAYPOINT_BOUND = "istio.io/WaypointBound"


def service_statuses(graph: Graph, captures: Node[Key, Capture]) -> Derived[Key, ConditionsStatus]:
    """The status of each Service and ServiceEntry that asks for a waypoint."""

    def status(_: Reader, __: Key, capture: Capture) -> ConditionsStatus | None:
        if capture.waypoint is None:
            return None
        return ConditionsStatus((condition(WAYPOINT_BOUND, capture.verdict, 1),))

    return mapped(graph, "statuses of services", captures, status)
