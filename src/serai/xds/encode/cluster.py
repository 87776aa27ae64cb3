"""ir.Cluster -> Cluster."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from serai.api.meta import Key
from serai.backends.circuit_breaker import CircuitBreaker
from serai.backends.feature import Draft
from serai.backends.features import write
from serai.ir.cluster import Cluster as IrCluster
from serai.ir.cluster import Discovery
from serai.ir.origin import Origin
from serai.ir.viewpoint import Viewpoint
from serai.model.settings import Settings
from serai.proto.envoy import (
    Cluster,
    ClusterLoadAssignment,
    DnsCluster,
    HttpProtocolOptions,
)
from serai.proto.pool import pack
from serai.translate.clusters import is_mutual
from serai.translate.localities import localities
from serai.xds.encode.body import EDS, of_body
from serai.xds.encode.dynamic import address_guard, dynamic_cluster
from serai.xds.encode.endpoint import load_assignment
from serai.xds.encode.mesh_tls import named_secret, upstream
from serai.xds.encode.originate import IN_MESH, TOLD_APART, passing, spare_tunnels, wrap
from serai.xds.encode.splice import spliced
from serai.xds.encode.telemetry import service_metadata, short_name
from serai.xds.resource import Resource, ResourceKey, ResourceType

_ANY = Origin(Key("", "", ""))
_NO_SETTINGS = Settings()
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def encode_cluster(
    cluster: IrCluster, settings: Settings, viewpoint: Viewpoint | None = None
) -> Resource:
    """A cluster; what Envoy resolves itself has its names in it, all else comes by EDS.

    The names are as near or far as clients at a viewpoint find them.
    """
    origins = (cluster.origin, *(Origin(key) for key in cluster.policies))
    if cluster.discovery is not Discovery.EDS or cluster.leaves or cluster.tls is not None:
        body = whole_cluster(cluster, settings, viewpoint)
        return of_body(ResourceType.CLUSTER, cluster.name, body, origins)
    shape = replace(cluster, name="", host="", alt_stat_name="", origin=_ANY, policies=())
    body = spliced(_plain, shape, _names(cluster))
    endpoints = ResourceKey(ResourceType.ENDPOINTS, cluster.name)
    return of_body(ResourceType.CLUSTER, cluster.name, body, origins, (endpoints,))


def whole_cluster(
    cluster: IrCluster, settings: Settings, viewpoint: Viewpoint | None = None
) -> bytes:
    """Its bytes, made for itself."""
    return _named(_message(cluster, settings, viewpoint), _names(cluster))


def _names(cluster: IrCluster) -> tuple[str, ...]:
    """In the order of the bytes."""
    host, namespace = cluster.host, cluster.origin.key.namespace
    return cluster.name, host, namespace, short_name(host, namespace), cluster.alt_stat_name


def _plain(shape: IrCluster, named: tuple[str, ...]) -> bytes:
    """A cluster by EDS of which no policy asks anything: nothing in settings makes a difference."""
    return _named(_message(shape, _NO_SETTINGS, None), named)


def _named(message: Cluster, named: tuple[str, ...]) -> bytes:
    """Its bytes, with its names, and whom metrics say that is called."""
    name, host, namespace, short, alt_stat_name = named
    message.MergeFrom(Cluster(name=name, alt_stat_name=alt_stat_name))
    if host:
        message.MergeFrom(Cluster(metadata=service_metadata(host, short, namespace)))
    return message.SerializeToString(deterministic=True)


def _message(cluster: IrCluster, settings: Settings, viewpoint: Viewpoint | None) -> Cluster:
    message = Cluster(
        connect_timeout=timedelta(seconds=5),
        # Without it a host that left, but still answers its health checks, goes on being used.
        ignore_health_on_host_removal=True,
        **_discovery(cluster, settings, viewpoint),
    )
    if cluster.tls is not None:
        socket = upstream(cluster.tls, cluster.identities)
        socket = passing(socket) if cluster.passes_state else socket
        message.ClearField("transport_socket")
        message.MergeFrom(Cluster(transport_socket=socket))
    draft = Draft(cluster, message, named_secret)
    leaves = cluster.leaves
    if not any(isinstance(each, CircuitBreaker) for each in leaves):
        leaves = (CircuitBreaker(), *leaves)
    write(leaves, draft)
    if is_mutual(cluster) and (cluster.tunnels or cluster.beside_ztunnel):
        spare_tunnels(message, opens=bool(cluster.tunnels))
    elif cluster.tunnels:
        wrap(message)
    _speak(draft, settings)
    return message


def _discovery(
    cluster: IrCluster, settings: Settings, viewpoint: Viewpoint | None
) -> dict[str, Any]:
    if cluster.discovery is Discovery.NOWHERE:
        return {"type": "STATIC", "load_assignment": {"cluster_name": cluster.name}}
    if cluster.discovery is Discovery.INTERNAL:
        found = {"type": "STATIC", "load_assignment": _internal(cluster)}
        return {**found, "transport_socket": passing()} if cluster.passes_state else found
    if cluster.discovery is Discovery.INLINE:
        given = localities(cluster.dns_endpoints, None, viewpoint)
        return {"type": "STATIC", "load_assignment": load_assignment(cluster.name, given)}
    if cluster.discovery is Discovery.ORIGINAL_DST:
        override = {"upstream_port_override": {"value": cluster.port}} if cluster.port else {}
        return {
            "type": "ORIGINAL_DST",
            "lb_policy": "CLUSTER_PROVIDED",
            "original_dst_lb_config": override,
        }
    if cluster.discovery is Discovery.EDS:
        return {
            "type": "EDS",
            "eds_cluster_config": {"eds_config": EDS},
            "common_lb_config": _by_locality(cluster),
        }
    if cluster.discovery is Discovery.DYNAMIC_DNS:
        return {
            **dynamic_cluster(),
            "dns_lookup_family": settings.dns_lookup_family,
            "respect_dns_ttl": True,
        }
    return _looked_up(cluster, settings, viewpoint)


def _looked_up(
    cluster: IrCluster, settings: Settings, viewpoint: Viewpoint | None
) -> dict[str, Any]:
    resolved = DnsCluster(
        respect_dns_ttl=True,
        dns_refresh_rate=timedelta(seconds=30),
        dns_failure_refresh_rate={
            "base_interval": timedelta(seconds=1),
            "max_interval": timedelta(seconds=10),
        },
        dns_lookup_family=settings.dns_lookup_family,
        all_addresses_in_single_endpoint=cluster.discovery is Discovery.LOGICAL_DNS,
    )
    return {
        "cluster_type": {"name": "envoy.clusters.dns", "typed_config": pack(resolved)},
        "load_assignment": load_assignment(
            cluster.name, localities(cluster.dns_endpoints, cluster.distribution, viewpoint)
        ),
        "common_lb_config": _by_locality(cluster),
    }


def _by_locality(cluster: IrCluster) -> dict[str, Any]:
    threshold = cluster.panic_threshold
    panic = {} if threshold is None else {"healthy_panic_threshold": {"value": threshold}}
    return {"locality_weighted_lb_config": {}, **panic}


def _internal(cluster: IrCluster) -> ClusterLoadAssignment:
    address = {"envoy_internal_address": {"server_listener_name": cluster.internal_listener}}
    endpoint: dict[str, Any] = {"endpoint": {"address": address}}
    if cluster.tunnels and is_mutual(cluster):
        told = {TOLD_APART: {"fields": {IN_MESH: {"bool_value": True}}}}
        endpoint["metadata"] = {"filter_metadata": told}
    return ClusterLoadAssignment(
        cluster_name=cluster.name, endpoints=[{"lb_endpoints": [endpoint]}]
    )


def _speak(draft: Draft, settings: Settings) -> None:
    """Which protocol endpoints are spoken to in, where it is not plain HTTP/1.1."""
    http = draft.http
    if draft.ir.discovery is Discovery.DYNAMIC_DNS:
        http.MergeFrom(HttpProtocolOptions(**_guarded(settings)))
    version = "http2_protocol_options" if draft.http2 else "http_protocol_options"
    options = draft.http2_options if draft.http2 else draft.http1_options
    either = {
        "http_protocol_options": draft.http1_options,
        "http2_protocol_options": draft.http2_options,
    }
    if draft.ir.negotiates and not draft.http2:
        # First, since it offers both in the handshake; following the client offers neither.
        http.MergeFrom(HttpProtocolOptions(auto_config=either))
    elif draft.follow_client:
        http.MergeFrom(HttpProtocolOptions(use_downstream_protocol_config=either))
    elif draft.http2 or options.ByteSize() or http.ByteSize():
        http.MergeFrom(HttpProtocolOptions(explicit_http_config={version: options}))
    if http.ByteSize():
        options_by_name = {_HTTP_OPTIONS: pack(http)}
        draft.message.MergeFrom(Cluster(typed_extension_protocol_options=options_by_name))


def _guarded(settings: Settings) -> dict[str, Any]:
    # Envoy takes such a cluster only if TLS to it would be verified by the host's name.
    verified = {"auto_sni": True, "auto_san_validation": True}
    return {
        "upstream_http_protocol_options": verified,
        "http_filters": address_guard(settings),
    }
