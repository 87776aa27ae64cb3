"""ir.Cluster -> Cluster."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serai.ir.cluster import Cluster as IrCluster
from serai.ir.cluster import Discovery
from serai.proto.envoy import Cluster, ClusterLoadAssignment, DnsCluster, HttpProtocolOptions
from serai.proto.pool import pack
from serai.xds.encode.body import EDS, resource
from serai.xds.encode.endpoint import load_assignment
from serai.xds.resource import Resource, ResourceType

_BY_LOCALITY: dict[str, Any] = {"locality_weighted_lb_config": {}}
_UNLIMITED = 2**32 - 1
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def encode_cluster(cluster: IrCluster) -> Resource:
    """A cluster; what Envoy resolves itself has its names in it, all else comes by EDS."""
    message = Cluster(
        name=cluster.name,
        alt_stat_name=cluster.alt_stat_name,
        connect_timeout=timedelta(seconds=5),
        # Without it a host that left, but still answers its health checks, goes on being used.
        ignore_health_on_host_removal=True,
        circuit_breakers={"thresholds": [_thresholds(level) for level in ("DEFAULT", "HIGH")]},
        **_discovery(cluster),
        **_protocol(cluster),
    )
    return resource(ResourceType.CLUSTER, cluster.name, message, (cluster.origin,))


def _discovery(cluster: IrCluster) -> dict[str, Any]:
    if cluster.discovery is Discovery.INTERNAL:
        return {"type": "STATIC", "load_assignment": _internal(cluster)}
    if cluster.discovery is Discovery.ORIGINAL_DST:
        return {
            "type": "ORIGINAL_DST",
            "lb_policy": "CLUSTER_PROVIDED",
            "original_dst_lb_config": {"upstream_port_override": {"value": cluster.port}},
        }
    if cluster.discovery is Discovery.EDS:
        return {
            "type": "EDS",
            "eds_cluster_config": {"eds_config": EDS},
            "common_lb_config": _BY_LOCALITY,
        }
    resolved = DnsCluster(
        respect_dns_ttl=True,
        dns_refresh_rate=timedelta(seconds=30),
        dns_failure_refresh_rate={
            "base_interval": timedelta(seconds=1),
            "max_interval": timedelta(seconds=10),
        },
        dns_lookup_family="V4_PREFERRED",
        all_addresses_in_single_endpoint=cluster.discovery is Discovery.LOGICAL_DNS,
    )
    return {
        "cluster_type": {"name": "envoy.clusters.dns", "typed_config": pack(resolved)},
        "load_assignment": load_assignment(cluster.name, cluster.dns_endpoints),
        "common_lb_config": _BY_LOCALITY,
    }


def _internal(cluster: IrCluster) -> ClusterLoadAssignment:
    address = {"envoy_internal_address": {"server_listener_name": cluster.internal_listener}}
    endpoint = {"endpoint": {"address": address}}
    return ClusterLoadAssignment(
        cluster_name=cluster.name, endpoints=[{"lb_endpoints": [endpoint]}]
    )


def _protocol(cluster: IrCluster) -> dict[str, Any]:
    if not cluster.http2:
        return {}
    options = HttpProtocolOptions(explicit_http_config={"http2_protocol_options": {}})
    return {"typed_extension_protocol_options": {_HTTP_OPTIONS: pack(options)}}


def _thresholds(priority: str) -> dict[str, Any]:
    """No limits but those that somebody asked for: Envoy's own would refuse under load."""
    return {
        "priority": priority,
        "max_connections": {"value": _UNLIMITED},
        "max_pending_requests": {"value": _UNLIMITED},
        "max_requests": {"value": _UNLIMITED},
        "max_retries": {"value": _UNLIMITED},
    }
