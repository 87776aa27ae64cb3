"""ir.ClusterEndpoints -> ClusterLoadAssignment."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from serai.ir.cluster import ClusterEndpoints, Endpoint, Locality
from serai.model.addresses import SOCKET, is_socket
from serai.proto.envoy import ClusterLoadAssignment
from serai.xds.encode.body import resource
from serai.xds.resource import Resource, ResourceType


def encode_endpoints(endpoints: ClusterEndpoints) -> Resource:
    """The load assignment of an EDS cluster.

    One without endpoints is sent too: it answers 503 at once, while leaving it out would keep
    what Envoy had.
    """
    message = load_assignment(endpoints.cluster, endpoints.endpoints)
    return resource(ResourceType.ENDPOINTS, endpoints.cluster, message, (endpoints.origin,))


def load_assignment(cluster: str, endpoints: tuple[Endpoint, ...]) -> ClusterLoadAssignment:
    """Endpoints grouped by locality, each locality as heavy as its endpoints together."""
    ordered = sorted(endpoints, key=lambda each: (_place(each.locality), each.address, each.port))
    return ClusterLoadAssignment(
        cluster_name=cluster,
        endpoints=[
            _locality(locality, list(group))
            for locality, group in groupby(ordered, key=lambda each: each.locality)
        ],
    )


def _locality(locality: Locality, endpoints: list[Endpoint]) -> dict[str, Any]:
    return {
        "locality": {
            "region": locality.region,
            "zone": locality.zone,
            "sub_zone": locality.subzone,
        },
        "load_balancing_weight": {"value": sum(each.weight for each in endpoints)},
        "lb_endpoints": [
            {
                "endpoint": {"address": _address(each)},
                "load_balancing_weight": {"value": each.weight},
            }
            for each in endpoints
        ],
    }


def _address(endpoint: Endpoint) -> dict[str, Any]:
    if is_socket(endpoint.address):
        return {"pipe": {"path": endpoint.address.removeprefix(SOCKET)}}
    return {"socket_address": {"address": endpoint.address, "port_value": endpoint.port}}


def _place(locality: Locality) -> tuple[str, str, str]:
    return (locality.region, locality.zone, locality.subzone)
