"""What statuses say in a cluster, beyond what the pipeline knows: addresses, and what is others'.

Gateway API: GatewayStatus.addresses.  Istio: who writes WaypointBound and allocates VIPs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from serai.api.core import LoadBalancerIngress, Service
from serai.api.gateway import GatewayAddress, GatewayClass
from serai.api.meta import Key
from serai.app.pipeline import Pipeline
from serai.kube.deployment import name_of
from serai.model.addresses import is_ip
from serai.status.service import WAYPOINT_BOUND
from serai.status.values import written

MESH_CONTROLLER = "istio.io/mesh-controller"
"""Of istiod's waypoints: where a GatewayClass names it, istiod runs here."""

MOST_ADDRESSES = 16
"""That a Gateway's status takes."""

NOT_HAD = "was asked for, and is no address of the Service; see that a load balancer gives it"
PENDING = "no address is known yet: no Service of its name in its namespace has one"


def istiod_runs(classes: Iterable[GatewayClass]) -> bool:
    """Whether istiod runs in this cluster, which then says and allocates what we would."""
    return any(each.spec.controller_name == MESH_CONTROLLER for each in classes)


def wanted_status(pipeline: Pipeline, key: Key, lacking: str = "") -> dict[str, Any] | None:
    """What we have to say on an object now; None: nothing.

    `lacking` is why a Gateway's Envoys could not be deployed; empty if they are, or are others'.
    """
    row = pipeline.statuses.row(key)
    status = written(row) if row is not None else None
    inputs = pipeline.inputs
    if key.kind == "Gateway" and status is not None:
        service = inputs.services.row(Key("Service", key.namespace, name_of(key.name)))
        gateway = inputs.gateways.row(key)
        asked = gateway.spec.addresses if gateway else ()
        if lacking:
            status = _lacking(status, "Invalid", f"its Envoys could not be deployed: {lacking}")
        return _with_addresses(status, addresses_of(service), asked)
    if key.kind in {"Service", "ServiceEntry", "WorkloadEntry"} and status is not None:
        classes = (each for _, each in inputs.gateway_classes.items())
        return _without_istiods(status) if istiod_runs(classes) else status
    return status


def addresses_of(service: Service | None) -> tuple[GatewayAddress, ...]:
    """Where clients reach a Gateway by its Service: at the load balancer, else in the cluster."""
    if service is None:
        return ()
    outside = tuple(
        address for each in service.status.load_balancer.ingress for address in _ingress(each)
    )
    if outside or service.spec.type == "LoadBalancer":
        return tuple(dict.fromkeys(outside))[:MOST_ADDRESSES]
    inside = service.spec.cluster_ips or (service.spec.cluster_ip or "",)
    return tuple(GatewayAddress(each) for each in inside if is_ip(each))


def _ingress(found: LoadBalancerIngress) -> Iterator[GatewayAddress]:
    if found.ip and is_ip(found.ip):
        yield GatewayAddress(found.ip)
    if found.hostname:
        yield GatewayAddress(found.hostname, "Hostname")


def _with_addresses(
    status: dict[str, Any],
    addresses: tuple[GatewayAddress, ...],
    asked: tuple[GatewayAddress, ...],
) -> dict[str, Any]:
    found = {
        **status,
        "addresses": [{"type": each.type, "value": each.value} for each in addresses],
    }
    had = {each.value for each in addresses}
    missing = [each.value for each in asked if each.value and each.value not in had]
    if not addresses:
        return _lacking(found, "AddressNotAssigned", PENDING)
    if missing:
        return _lacking(found, "AddressNotUsable", f"{', '.join(missing)} {NOT_HAD}")
    return found


def _lacking(status: dict[str, Any], reason: str, message: str) -> dict[str, Any]:
    """A status that says that it is not programmed, and why, unless it says so already."""
    not_so = {"status": "False", "reason": reason, "message": message}
    conditions = [
        {**each, **not_so} if (each["type"], each["status"]) == ("Programmed", "True") else each
        for each in status["conditions"]
    ]
    return {**status, "conditions": conditions}


def _without_istiods(status: dict[str, Any]) -> dict[str, Any] | None:
    conditions = [each for each in status.get("conditions", ()) if each["type"] != WAYPOINT_BOUND]
    return {"conditions": conditions} if conditions else None
