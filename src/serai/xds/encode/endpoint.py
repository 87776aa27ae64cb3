"""ir.ClusterEndpoints -> ClusterLoadAssignment."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from serai.ir.cluster import ClusterEndpoints, Endpoint, Health, Locality
from serai.ir.viewpoint import Viewpoint
from serai.model.addresses import SOCKET, is_ip, is_socket, with_port
from serai.model.spiffe import spiffe_id
from serai.proto.envoy import ClusterLoadAssignment, LocalityLbEndpoints
from serai.translate.localities import LocalityEndpoints, localities
from serai.translate.names import INWARD, ORIGINATE
from serai.xds.encode.body import field_head, of_body, resource
from serai.xds.encode.originate import EXPECTED, IN_MESH, TO, TOLD_APART
from serai.xds.encode.splice import spliced
from serai.xds.resource import Resource, ResourceType

_LOCALITIES = 2
"""The number of the field ClusterLoadAssignment.endpoints."""
_STATUS = {Health.UNHEALTHY: "UNHEALTHY", Health.DRAINING: "DRAINING"}


def encode_endpoints(endpoints: ClusterEndpoints, viewpoint: Viewpoint | None) -> Resource:
    """The load assignment of an EDS cluster, for clients at a viewpoint.

    One without endpoints is sent too: it answers 503 at once, while leaving it out would keep
    what Envoy had.
    """
    found = localities(endpoints.endpoints, endpoints.distribution, viewpoint)
    if any(each.in_mesh or not each.port for each in endpoints.endpoints):  # a socket has no port
        message = load_assignment(
            endpoints.cluster, found, endpoints.tunnels, told_apart=endpoints.told_apart
        )
        return resource(ResourceType.ENDPOINTS, endpoints.cluster, message, (endpoints.origin,))
    name = ClusterLoadAssignment(cluster_name=endpoints.cluster).SerializeToString()
    body = b"".join((name, *map(_locality_field, found)))
    return of_body(ResourceType.ENDPOINTS, endpoints.cluster, body, (endpoints.origin,))


def _locality_field(found: LocalityEndpoints) -> bytes:
    """The field `endpoints` of a load assignment, where none of them is in the mesh."""
    body = b"".join(
        (
            _place(found.locality),
            *(
                spliced(_endpoint_field, (each.port, each.weight, each.health), (each.address,))
                for each in found.endpoints
            ),
            _standing(found.weight, found.priority),
        )
    )
    return field_head(_LOCALITIES, len(body)) + body


@lru_cache(1024)
def _place(locality: Locality) -> bytes:
    """What stands before the endpoints of a locality."""
    return LocalityLbEndpoints(locality=_locality_of(locality)).SerializeToString()


@lru_cache(1024)
def _standing(weight: int, priority: int) -> bytes:
    """What stands behind them."""
    message = LocalityLbEndpoints(load_balancing_weight={"value": weight}, priority=priority)
    return message.SerializeToString()


def _endpoint_field(shape: tuple[int, int, Health], address: tuple[str, ...]) -> bytes:
    port, weight, health = shape
    endpoint = Endpoint(address[0], port, weight, health=health)
    written = _endpoint(endpoint, "", told_apart=False)
    return LocalityLbEndpoints(lb_endpoints=[written]).SerializeToString()


def load_assignment(
    cluster: str,
    found: tuple[LocalityEndpoints, ...],
    tunnels: str = "",
    *,
    told_apart: bool = False,
) -> ClusterLoadAssignment:
    """Endpoints by priority and locality; `tunnels` is the trust domain of those in the mesh."""
    return ClusterLoadAssignment(
        cluster_name=cluster,
        endpoints=[_locality(each, tunnels, told_apart=told_apart) for each in found],
    )


def _locality(found: LocalityEndpoints, tunnels: str, *, told_apart: bool) -> dict[str, Any]:
    locality = found.locality
    return {
        "locality": _locality_of(locality),
        "priority": found.priority,
        "load_balancing_weight": {"value": found.weight},
        "lb_endpoints": [
            _endpoint(each, tunnels, told_apart=told_apart) for each in found.endpoints
        ],
    }


def _locality_of(locality: Locality) -> dict[str, str]:
    return {"region": locality.region, "zone": locality.zone, "sub_zone": locality.subzone}


def _endpoint(endpoint: Endpoint, tunnels: str, *, told_apart: bool) -> dict[str, Any]:
    status = _STATUS.get(endpoint.health)
    tunnelled = endpoint.in_mesh and tunnels and is_ip(endpoint.address)
    metadata = _whereto(endpoint, tunnels) if tunnelled else {}
    if told_apart and endpoint.in_mesh:
        metadata[TOLD_APART] = {"fields": {IN_MESH: {"bool_value": True}}}
    return {
        "endpoint": {"address": _inside(endpoint) if tunnelled else _address(endpoint)},
        **({"metadata": {"filter_metadata": metadata}} if metadata else {}),
        "load_balancing_weight": {"value": endpoint.weight},
        **({"health_status": status} if status else {}),
    }


def _inside(endpoint: Endpoint) -> dict[str, Any]:
    """By the listener that opens tunnels.

    A network's entrance may stand for endpoints of several places, which Envoy tells apart by this.
    """
    where = with_port(endpoint.address, endpoint.port)
    if endpoint.through is not None:
        place = endpoint.locality
        parts = (endpoint.network, endpoint.cluster, place.region, place.zone, place.subzone)
        inside = {"server_listener_name": INWARD, "endpoint_id": "/".join((where, *parts))}
        return {"envoy_internal_address": inside}
    return {"envoy_internal_address": {"server_listener_name": ORIGINATE, "endpoint_id": where}}


def _whereto(endpoint: Endpoint, trust_domain: str) -> dict[str, Any]:
    """Where a tunnel leads, and to whom."""
    where = with_port(endpoint.address, endpoint.port)
    through = endpoint.through
    identities = through.identities if through else (endpoint.identity,)
    said = {"authority": through.authority} if through else {}
    if any(identities):
        said["san"] = ",".join(spiffe_id(trust_domain, each) for each in identities)
    metadata: dict[str, Any] = {TO: _struct(local=where)}
    return {**metadata, EXPECTED: _struct(**said)} if said else metadata


def _struct(**texts: str) -> dict[str, Any]:
    return {"fields": {name: {"string_value": text} for name, text in texts.items()}}


def _address(endpoint: Endpoint) -> dict[str, Any]:
    if is_socket(endpoint.address):
        return {"pipe": {"path": endpoint.address.removeprefix(SOCKET)}}
    return {"socket_address": {"address": endpoint.address, "port_value": endpoint.port}}
