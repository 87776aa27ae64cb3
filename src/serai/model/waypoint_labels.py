"""The labels by which an object or a Namespace asks for a waypoint."""

from __future__ import annotations

from collections.abc import Mapping

from serai.api.networking import USE_WAYPOINT
from serai.model.service import WaypointLabels

USE_WAYPOINT_NAMESPACE = "istio.io/use-waypoint-namespace"
CANARY, CANARY_NAMESPACE = f"{USE_WAYPOINT}-canary", f"{USE_WAYPOINT}-canary-namespace"
CANARY_WEIGHT = f"{USE_WAYPOINT}-canary-weight"
"""An annotation."""
INGRESS_USE_WAYPOINT = "istio.io/ingress-use-waypoint"
OPT_OUT = "none"

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
"""What Go's strconv.ParseBool takes for true, as Istio does."""


def waypoint_labels(
    labels: Mapping[str, str], annotations: Mapping[str, str]
) -> WaypointLabels | None:
    """What labels say of a waypoint; None if they say nothing."""
    name = labels.get(USE_WAYPOINT)
    if not name:
        return None
    return WaypointLabels(
        name=name,
        namespace=labels.get(USE_WAYPOINT_NAMESPACE, ""),
        canary=labels.get(CANARY, ""),
        canary_namespace=labels.get(CANARY_NAMESPACE, ""),
        canary_weight=annotations.get(CANARY_WEIGHT, ""),
    )


def ingress_by_waypoint(labels: Mapping[str, str]) -> bool | None:
    """Whether labels send gateways through the waypoint; None if they say nothing."""
    written = labels.get(INGRESS_USE_WAYPOINT)
    return None if written is None else written in _TRUE
