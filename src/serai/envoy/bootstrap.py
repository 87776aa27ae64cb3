"""The configuration an Envoy starts with: who it is, where its control plane is, what it counts.

Pure.  Everything else reaches Envoy by ADS.  The figures in comments were measured on Envoy 1.40.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Literal

import msgspec

from serai.ir.viewpoint import Viewpoint

Json = dict[str, Any]

XDS_CLUSTER = "serai_xds"

MAX_CONNECTIONS = 50_000
"""Downstream connections of one Envoy; Envoy's documentation recommends a limit at edges."""

STAT_PREFIXES = (
    "server.",
    "cluster_manager.",
    "listener_manager.",
    "control_plane.",
    "overload.",
    "istio.",
)
"""Counted whole; few, whatever the size of the configuration.  The dot at the end matters: Envoy
compares such prefixes without making a string of each name."""

STAT_SUFFIXES = (
    ".membership_total",
    ".membership_healthy",
    ".upstream_rq_total",
    ".upstream_rq_active",
    ".upstream_rq_1xx",
    ".upstream_rq_2xx",
    ".upstream_rq_3xx",
    ".upstream_rq_4xx",
    ".upstream_rq_5xx",
    ".upstream_cx_total",
    ".upstream_cx_active",
    ".upstream_cx_connect_fail",
    ".downstream_rq_total",
    ".downstream_rq_active",
    ".downstream_rq_1xx",
    ".downstream_rq_2xx",
    ".downstream_rq_3xx",
    ".downstream_rq_4xx",
    ".downstream_rq_5xx",
    ".downstream_cx_total",
    ".downstream_cx_active",
    "shadow_allowed",
    "shadow_denied",
    ".csrf.missing_source_origin",
    ".csrf.request_invalid",
    ".csrf.request_valid",
    ".fault.active_faults",
    ".remaining_cx",
    ".remaining_pending",
    ".remaining_rq",
    ".remaining_retries",
)
"""Counted wherever they occur: traffic and health of clusters and listeners for `serai get`,
requests in flight for draining, what policies that are only tried would do, faults under way, by
which Envoy itself limits them, what is left of limits where a policy asks.  With 5,000 clusters:
10,000 stats, ready in 0.52 s with 215 MB; prefixes alone 0.44 s and 204 MB; everything 205,000
stats, 0.82 s and 238 MB.  `http.` as a prefix would count some eight stats for each route
configuration, so it isn't one."""

CLUSTER_IN_STAT = r"^cluster(\.(.+);)"
"""A cluster's name in those of its stats: up to the semicolon that it ends with, as Istio has it.

Envoy's own expression ends at the first dot, so that a host's other labels become the metric's."""

CLUSTER_TAGS = ("cluster_name", "envoy_cluster_name")
"""The label that Istio's dashboards ask for, and Envoy's own."""

DEFAULT_TAGS = (
    "envoy.http_conn_manager_prefix",
    "envoy.listener_address",
    "envoy.rds_route_config",
    "envoy.response_code",
    "envoy.response_code_class",
    "envoy.scoped_rds_config",
    "envoy.ssl_cipher",
    "envoy.tcp_prefix",
    "envoy.worker_id",
)
"""Those of Envoy's own that are taken as they are."""

RUNTIME = {"envoy.reloadable_features.enable_send_rst_on_user_space_socket": False}
"""Envoy 1.40 resets a connection to a listener inside it that ends once all is written: the last
answer of a client that said `Connection: close` would be lost on its way."""

WINDOW_BYTES = 256 * 1024 * 1024
"""HTTP/2 window towards the control plane, so that a first sync never waits for window updates."""


class UnixSocket(msgspec.Struct, frozen=True, tag="unix"):
    """A control plane on this machine."""

    path: str


class HostPort(msgspec.Struct, frozen=True, tag="tcp"):
    """A control plane at an IP address, or at a name that Envoy resolves."""

    host: str
    port: int


XdsAddress = UnixSocket | HostPort


class BootstrapSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from one Envoy to another."""

    gateway: str
    """``namespace/name``; the node's cluster, by which the xDS server knows whose proxy it is."""
    node_id: str
    """The instance; the same from run to run, or a running Envoy could not be adopted."""
    xds: XdsAddress
    protocol: Literal["delta", "sotw"] = "delta"
    admin_host: str = "127.0.0.1"
    admin_port: int = 0
    """0: the kernel picks a free one, and Envoy writes it where --admin-address-path says."""
    max_connections: int = MAX_CONNECTIONS
    viewpoint: Viewpoint | None = None
    """Where it runs, if that is known."""
    annotations: tuple[tuple[str, str], ...] = ()
    """What its Gateway wants it to be annotated with."""
    extra_stats: tuple[str, ...] = ()
    """More prefixes of stats to count, such as ``istio.``."""


def bootstrap(settings: BootstrapSettings) -> Json:
    """The bootstrap in the JSON form of envoy.config.bootstrap.v3.Bootstrap."""
    return {
        "node": _node(settings),
        "admin": _admin(settings),
        "dynamic_resources": _dynamic_resources(settings),
        "static_resources": {"clusters": [_xds_cluster(settings.xds)]},
        # Worker threads make a cluster when it is first used; with the stats below a first sync of
        # 10,000 services falls from 22-27 s and 1.3 GB to 8 s and 0.75 GB.
        "cluster_manager": {"enable_deferred_cluster_creation": True},
        "deferred_stat_options": {"enable_deferred_creation_stats": True},
        "stats_config": {
            "stats_matcher": {"inclusion_list": {"patterns": _stats(settings)}},
            "use_all_default_tags": False,
            "stats_tags": [
                *({"tag_name": name, "regex": CLUSTER_IN_STAT} for name in CLUSTER_TAGS),
                *({"tag_name": name} for name in DEFAULT_TAGS),
            ],
        },
        "overload_manager": {"resource_monitors": [_connection_limit(settings.max_connections)]},
        # The admin's layer is last, so that an operator may set a runtime key by hand.
        "layered_runtime": {
            "layers": [
                {"name": "serai", "static_layer": RUNTIME},
                {"name": "admin", "admin_layer": {}},
            ]
        },
        # Internal listeners (HBONE) can come by LDS only where this stands from the start.
        "bootstrap_extensions": [
            {
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": _any(
                    "envoy.extensions.bootstrap.internal_listener.v3", "InternalListener"
                ),
            }
        ],
    }


def render(config: Json) -> bytes:
    """The bootstrap as Envoy reads it (`--config-path x.json`); equal settings, equal bytes."""
    return msgspec.json.format(msgspec.json.encode(config, order="sorted"), indent=2) + b"\n"


def admin_port(rendered: bytes) -> int:
    """The admin port a bootstrap asks for; 0 means any free one."""
    return int(msgspec.json.decode(rendered)["admin"]["address"]["socket_address"]["port_value"])


def _any(package: str, message: str, **fields: object) -> Json:
    return {"@type": f"type.googleapis.com/{package}.{message}", **fields}


def _admin(settings: BootstrapSettings) -> Json:
    return {
        "address": _socket_address(settings.admin_host, settings.admin_port),
        # An Envoy that is full must still say so.
        "ignore_global_conn_limit": True,
    }


def _dynamic_resources(settings: BootstrapSettings) -> Json:
    # Never timed out: an Envoy that has no configuration yet is not ready, and says so.
    source = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    backoff = {"base_interval": "0.1s", "max_interval": "2s"}
    return {
        "ads_config": {
            "api_type": "DELTA_GRPC" if settings.protocol == "delta" else "GRPC",
            "transport_api_version": "V3",
            "set_node_on_first_message_only": True,
            "grpc_services": [
                {
                    "envoy_grpc": {
                        "cluster_name": XDS_CLUSTER,
                        # By default Envoy waits up to 30 s before it looks for us again.
                        "retry_policy": {"retry_back_off": backoff},
                    }
                }
            ],
        },
        "lds_config": source,
        "cds_config": source,
    }


def _xds_cluster(address: XdsAddress) -> Json:
    http2: Json = {
        "initial_stream_window_size": WINDOW_BYTES,
        "initial_connection_window_size": WINDOW_BYTES,
        # A control plane whose machine vanished closes nothing; the stream must end all the same.
        "connection_keepalive": {"interval": "30s", "timeout": "10s"},
    }
    return {
        "name": XDS_CLUSTER,
        "alt_stat_name": f"{XDS_CLUSTER};",
        "type": _discovery(address),
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": XDS_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(address)}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _any(
                "envoy.extensions.upstreams.http.v3",
                "HttpProtocolOptions",
                explicit_http_config={"http2_protocol_options": http2},
            )
        },
    }


def _discovery(address: XdsAddress) -> str:
    if isinstance(address, UnixSocket):
        return "STATIC"
    try:
        ip_address(address.host)
    except ValueError:
        return "STRICT_DNS"
    return "STATIC"


def _address(address: XdsAddress) -> Json:
    if isinstance(address, UnixSocket):
        return {"pipe": {"path": address.path}}
    return _socket_address(address.host, address.port)


def _socket_address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def _node(settings: BootstrapSettings) -> Json:
    """Who it is, and where: in the fields and metadata that Istio's proxies have."""
    node: Json = {"id": settings.node_id, "cluster": settings.gateway}
    if settings.viewpoint is None and not settings.annotations:
        return node
    where = settings.viewpoint or Viewpoint()
    place = where.locality
    locality = {"region": place.region, "zone": place.zone, "sub_zone": place.subzone}
    said: Json = {"NETWORK": where.network, "NODE_NAME": where.node, "LABELS": dict(where.labels)}
    said["ANNOTATIONS"] = dict(settings.annotations)
    return node | {
        "locality": {name: value for name, value in locality.items() if value},
        "metadata": {name: value for name, value in said.items() if value},
    }


def _stats(settings: BootstrapSettings) -> list[Json]:
    prefixes = (*STAT_PREFIXES, *settings.extra_stats)
    return [{"prefix": prefix} for prefix in prefixes] + [{"suffix": s} for s in STAT_SUFFIXES]


def _connection_limit(connections: int) -> Json:
    return {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": _any(
            "envoy.extensions.resource_monitors.downstream_connections.v3",
            "DownstreamConnectionsConfig",
            max_active_downstream_connections=str(connections),
        ),
    }
