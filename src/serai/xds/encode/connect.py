"""Connects -> HTTP connection manager that ends tunnels."""

from __future__ import annotations

from typing import Any

from serai.ir.listener import Connects
from serai.proto.envoy import HttpConnectionManager, Router
from serai.xds.encode.access_log import access_log
from serai.xds.encode.body import extension
from serai.xds.encode.dynamic import filter_config, http_filters


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
    manager = HttpConnectionManager(
        stat_prefix=name,
        stream_idle_timeout={},
        upgrade_configs=[{"upgrade_type": "CONNECT"}],
        http_filters=[*http_filters(), extension("envoy.filters.http.router", Router())],
        access_log=[access_log()],
        route_config={"virtual_hosts": [{"name": name, "domains": ["*"], "routes": [route]}]},
    )
    return extension("envoy.filters.network.http_connection_manager", manager)
