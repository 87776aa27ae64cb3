"""The labels by which an object or a Namespace asks for a waypoint."""

from __future__ import annotations

from collections.abc import Mapping

from serai.model.service import WaypointLabels

USE_WAYPOINT = "istio.io/use-waypoint"
USE_WAYPOINT_NAMESPACE = "istio.io/use-waypoint-namespace"
INGRESS_USE_WAYPOINT = "istio.io/ingress-use-waypoint"
OPT_OUT = "none"

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
"""What Go's strconv.ParseBool takes for true, as Istio does."""


def waypoint_labels(labels: Mapping[str, str]) -> WaypointLabels | None:
    """What labels say of a waypoint; None if they say nothing."""
    name = labels.get(USE_WAYPOINT)
    return WaypointLabels(name, labels.get(USE_WAYPOINT_NAMESPACE, "")) if name else None


def ingress_by_waypoint(labels: Mapping[str, str]) -> bool | None:
    """Whether labels send gateways through the waypoint; None if they say nothing."""
    written = labels.get(INGRESS_USE_WAYPOINT)
    return None if written is None else written in _TRUE
