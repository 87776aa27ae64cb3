"""TcpForward -> TCP proxy."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serai.ir.listener import TcpForward, Tunnel
from serai.ir.route import WeightedCluster
from serai.proto.envoy import TcpProxy
from serai.translate.names import INVALID_BACKEND
from serai.xds.encode.access_log import access_log, failures_log
from serai.xds.encode.body import extension
from serai.xds.encode.originate import AUTHORITY, EXPECTED
from serai.xds.encode.telemetry import AT_THE_END, connection_metrics, of_types

SOURCE = "x-istio-source"
"""Says to the entrance of a network that policies were applied here, so that it goes past any
waypoint of its own.  Istio: listener_waypoint.go."""

_OUTWARD = frozenset({Tunnel.FIXED, Tunnel.DESTINATION, Tunnel.INWARD, Tunnel.OUTWARD})
"""Tunnels out of this proxy, of requests that were logged on their way to them."""


def tcp_proxy(name: str, handling: TcpForward, *, mesh: bool = False) -> dict[str, Any]:
    """The filter that sends a connection's bytes to one of the clusters; at a waypoint `mesh`."""
    logged_elsewhere = handling.tunnel in _OUTWARD or handling.relayed
    proxy = TcpProxy(
        stat_prefix=name,
        access_log=[failures_log()] if logged_elsewhere else _logs(mesh=mesh),
        access_log_options={} if logged_elsewhere else {"flush_access_log_on_connected": True},
        **_tcp(handling.clusters),
        **_tunnel(handling),
        **_times(handling),
    )
    return extension("envoy.filters.network.tcp_proxy", proxy)


def _logs(*, mesh: bool) -> list[dict[str, Any]]:
    """One line at the end, and metrics of start and end."""
    return [{**access_log(), "filter": of_types(AT_THE_END)}, *connection_metrics(mesh=mesh)]


def _tcp(clusters: tuple[WeightedCluster, ...]) -> dict[str, Any]:
    if len(clusters) == 1:
        return {"cluster": clusters[0].cluster or INVALID_BACKEND}
    shares = [{"name": each.cluster or INVALID_BACKEND, "weight": each.weight} for each in clusters]
    return {"weighted_clusters": {"clusters": shares}}


def _tunnel(forward: TcpForward) -> dict[str, Any]:
    """Without a server name the authority has a dash for it, which nothing covers."""
    match forward.tunnel:
        case Tunnel.NONE:
            return {}
        case Tunnel.SERVER_NAME:
            return {"tunneling_config": {"hostname": "%REQUESTED_SERVER_NAME%:443"}}
        case Tunnel.DESTINATION:
            return {"tunneling_config": {"hostname": "%DOWNSTREAM_LOCAL_ADDRESS%"}}
        case Tunnel.INWARD:
            return {"tunneling_config": {"hostname": f"%DYNAMIC_METADATA({EXPECTED}:authority)%"}}
        case Tunnel.OUTWARD:
            asked = {
                "hostname": f"%FILTER_STATE({AUTHORITY}:PLAIN)%",
                "headers_to_add": [{"header": {"key": SOURCE, "value": "waypoint"}}],
            }
            return {"tunneling_config": asked}
        case Tunnel.FIXED | Tunnel.CONNECT:
            return {"tunneling_config": {"hostname": forward.authority}}
        case Tunnel.POST:
            return {"tunneling_config": {"hostname": forward.authority, "use_post": True}}


def _times(forward: TcpForward) -> dict[str, Any]:
    times = {
        "idle_timeout": forward.idle_timeout_seconds,
        "max_downstream_connection_duration": forward.max_duration_seconds,
    }
    return {name: timedelta(seconds=each) for name, each in times.items() if each is not None}
