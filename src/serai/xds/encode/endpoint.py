"""ir.ClusterEndpoints -> ClusterLoadAssignment."""

from __future__ import annotations

from typing import Any

from serai.ir.cluster import ClusterEndpoints, Endpoint, Health
from serai.ir.viewpoint import Viewpoint
from serai.model.addresses import SOCKET, is_socket
from serai.proto.envoy import ClusterLoadAssignment
from serai.translate.localities import LocalityEndpoints, localities
from serai.xds.encode.body import resource
from serai.xds.resource import Resource, ResourceType

_STATUS = {Health.UNHEALTHY: "UNHEALTHY", Health.DRAINING: "DRAINING"}


def encode_endpoints(endpoints: ClusterEndpoints, viewpoint: Viewpoint | None) -> Resource:
    """The load assignment of an EDS cluster, for clients at a viewpoint.

    One without endpoints is sent too: it answers 503 at once, while leaving it out would keep
    what Envoy had.
    """
    found = localities(endpoints.endpoints, endpoints.distribution, viewpoint)
    message = load_assignment(endpoints.cluster, found)
    return resource(ResourceType.ENDPOINTS, endpoints.cluster, message, (endpoints.origin,))


def load_assignment(cluster: str, found: tuple[LocalityEndpoints, ...]) -> ClusterLoadAssignment:
    """Endpoints by priority and locality."""
    return ClusterLoadAssignment(
        cluster_name=cluster, endpoints=[_locality(each) for each in found]
    )


def _locality(found: LocalityEndpoints) -> dict[str, Any]:
    locality = found.locality
    return {
        "locality": {
            "region": locality.region,
            "zone": locality.zone,
            "sub_zone": locality.subzone,
        },
        "priority": found.priority,
        "load_balancing_weight": {"value": found.weight},
        "lb_endpoints": [_endpoint(each) for each in found.endpoints],
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    status = _STATUS.get(endpoint.health)
    return {
        "endpoint": {"address": _address(endpoint)},
        "load_balancing_weight": {"value": endpoint.weight},
        **({"health_status": status} if status else {}),
    }


def _address(endpoint: Endpoint) -> dict[str, Any]:
    if is_socket(endpoint.address):
        return {"pipe": {"path": endpoint.address.removeprefix(SOCKET)}}
    return {"socket_address": {"address": endpoint.address, "port_value": endpoint.port}}
