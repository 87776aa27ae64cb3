"""The bootstrap of an Envoy in a Pod: its admin interface on loopback, its readiness for all.

Pure.
"""

from __future__ import annotations

from typing import Any

from serai.envoy.bootstrap import BootstrapSettings, HostPort, bootstrap, render
from serai.envoy.pod_drain import drain_filters, drain_route

Json = dict[str, Any]

READY_PORT = 15021
ADMIN_PORT = 15000


def pod_bootstrap(gateway: str, xds: HostPort, drain: str = "") -> str:
    """The bootstrap of a Gateway (``namespace/name``), whose Envoys say by --service-node who.

    `drain` is the path at which they are told to end; empty: nowhere.
    """
    settings = BootstrapSettings(gateway=gateway, node_id=gateway, xds=xds, admin_port=ADMIN_PORT)
    config = bootstrap(settings)
    # The Pod's own name, which --service-node gives, is who it is.
    del config["node"]["id"]
    static = config["static_resources"]
    static["clusters"].append(_admin_cluster())
    static["listeners"] = [_ready_listener(drain)]
    return render(config).decode()


def _admin_cluster() -> Json:
    return {
        "name": "serai_admin",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "serai_admin",
            "endpoints": [{"lb_endpoints": [_endpoint("127.0.0.1", ADMIN_PORT)]}],
        },
    }


def _endpoint(host: str, port: int) -> Json:
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}


def _ready_listener(drain: str) -> Json:
    """For the kubelet, who cannot reach the admin interface: that path of it, and its end."""
    filters = "type.googleapis.com/envoy.extensions.filters."
    routes = [{"match": {"path": "/ready"}, "route": {"cluster": "serai_admin"}}]
    if drain:
        routes.append(drain_route(drain))
    manager = {
        "@type": filters + "network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "ready",
        "route_config": {"virtual_hosts": [{"name": "ready", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            *drain_filters(),
            {"name": "router", "typed_config": {"@type": filters + "http.router.v3.Router"}},
        ],
    }
    # Not told apart by family: a Pod may have either.
    address = {"address": "::", "port_value": READY_PORT, "ipv4_compat": True}
    return {
        "name": "serai_ready",
        "address": {"socket_address": address},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
