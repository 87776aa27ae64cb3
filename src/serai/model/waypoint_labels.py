"""The labels by which an object or a Namespace asks for a waypoint."""

from __future__ import annotations

from collections.abc import Mapping

from serai.model.service import WaypointLabels

USE_WAYPOINT = "istio.io/use-waypoint"
USE_WAYPOINT_NAMESPACE = "istio.io/use-waypoint-namespace"
OPT_OUT = "none"


def waypoint_labels(labels: Mapping[str, str]) -> WaypointLabels | None:
    """What labels say of a waypoint; None if they say nothing."""
    name = labels.get(USE_WAYPOINT)
    return WaypointLabels(name, labels.get(USE_WAYPOINT_NAMESPACE, "")) if name else None
