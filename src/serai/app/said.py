"""What statuses say in a cluster, beyond what the pipeline knows: addresses, and what is others'.

Gateway API: GatewayStatus.addresses.  Istio: who writes WaypointBound and allocates VIPs.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from serai.api.core import Service
from serai.api.gateway import GatewayClass
from serai.api.meta import Key
from serai.app.pipeline import Pipeline
from serai.kube.deployment import name_of
from serai.status.service import WAYPOINT_BOUND
from serai.status.values import written

MESH_CONTROLLER = "istio.io/mesh-controller"
"""Of istiod's waypoints: where a GatewayClass names it, istiod runs here."""

PENDING = "no address is known yet: no Service of its name in its namespace has one"


def istiod_runs(classes: Iterable[GatewayClass]) -> bool:
    """Whether istiod runs in this cluster, which then says and allocates what we would."""
    return any(each.spec.controller_name == MESH_CONTROLLER for each in classes)


def wanted_status(pipeline: Pipeline, key: Key) -> dict[str, Any] | None:
    """What we have to say on an object now; None: nothing."""
    row = pipeline.statuses.row(key)
    status = written(row) if row is not None else None
    inputs = pipeline.inputs
    if key.kind == "Gateway" and status is not None:
        service = inputs.services.row(Key("Service", key.namespace, name_of(key.name)))
        return _with_addresses(status, addresses_of(service))
    if key.kind in {"Service", "ServiceEntry", "WorkloadEntry"} and status is not None:
        classes = (each for _, each in inputs.gateway_classes.items())
        return _without_istiods(status) if istiod_runs(classes) else status
    return status


def addresses_of(service: Service | None) -> tuple[str, ...]:
    """Where clients reach a Gateway by its Service: at the load balancer, else in the cluster."""
    if service is None:
        return ()
    outside = tuple(each.ip for each in service.status.load_balancer.ingress if each.ip)
    if outside or service.spec.type == "LoadBalancer":
        return outside
    inside = service.spec.cluster_ips or (service.spec.cluster_ip or "",)
    return tuple(each for each in inside if _is_ip(each))


def _with_addresses(status: dict[str, Any], addresses: tuple[str, ...]) -> dict[str, Any]:
    found = {**status, "addresses": [{"type": "IPAddress", "value": each} for each in addresses]}
    if not addresses:
        found["conditions"] = [_unassigned(each) for each in status["conditions"]]
    return found


def _unassigned(condition: dict[str, Any]) -> dict[str, Any]:
    if condition["type"] != "Programmed" or condition["status"] != "True":
        return condition
    return {**condition, "status": "False", "reason": "AddressNotAssigned", "message": PENDING}


def _without_istiods(status: dict[str, Any]) -> dict[str, Any] | None:
    conditions = [each for each in status.get("conditions", ()) if each["type"] != WAYPOINT_BOUND]
    return {"conditions": conditions} if conditions else None


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
