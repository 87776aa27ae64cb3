"""Connects -> HTTP connection manager that ends tunnels."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serai.ir.listener import Connects
from serai.proto.envoy import HttpConnectionManager, Router
from serai.xds.encode.access_log import access_log
from serai.xds.encode.body import extension
from serai.xds.encode.dynamic import filter_config, http_filters
from serai.xds.encode.identity import tunnel_states

_HBONE: dict[str, Any] = {
    "codec_type": "HTTP2",
    "http2_protocol_options": {
        "max_concurrent_streams": {"value": 100},
        "connection_keepalive": {
            "interval": timedelta(seconds=10),
            "timeout": timedelta(seconds=20),
        },
    },
}
"""As Istio's waypoints have it.  What is inside tunnels is logged, tunnels are not."""


def connects(name: str, handling: Connects) -> dict[str, Any]:
    """The filter that takes CONNECT requests and sends what is inside them to a cluster."""
    to = handling.cluster
    route = {
        "match": {"connect_matcher": {}},
        "route": {
            "cluster": to.cluster,
            "timeout": {},
            "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
        },
        "typed_per_filter_config": filter_config(to, None),
    }
    filters = [tunnel_states()] if handling.of_mesh else http_filters()
    manager = HttpConnectionManager(
        stat_prefix=name,
        stream_idle_timeout={},
        upgrade_configs=[{"upgrade_type": "CONNECT"}],
        http_filters=[*filters, extension("envoy.filters.http.router", Router())],
        **(_HBONE if handling.of_mesh else {"access_log": [access_log()]}),
        route_config={"virtual_hosts": [{"name": name, "domains": ["*"], "routes": [route]}]},
    )
    return extension("envoy.filters.network.http_connection_manager", manager)
