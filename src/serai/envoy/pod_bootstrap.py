"""The bootstrap of an Envoy in a Pod: its admin interface on loopback, its readiness for all.

Pure.
"""

from __future__ import annotations

from typing import Any

from serai.api.gateway_parameters import EnvoyBootstrap
from serai.envoy.bootstrap import BootstrapSettings, HostPort, bootstrap, render
from serai.envoy.pod_drain import drain_filters, drain_route
from serai.envoy.pod_security import secure

Json = dict[str, Any]

READY_PORT = 15021
ADMIN_PORT = 15000


DNS_RESOLVER = "envoy.network.dns_resolver.cares"


def pod_bootstrap(
    gateway: str,
    xds: HostPort,
    drain: str = "",
    asked: EnvoyBootstrap | None = None,
    *,
    secured: bool = False,
) -> str:
    """The bootstrap of a Gateway (``namespace/name``), whose Envoys say by --service-node who.

    `drain` is the path at which they are told to end; empty: nowhere.  `asked` is what its
    GatewayParameters say.  `secured`: the control plane is reached by TLS and with a token, by
    files that are beside it (serai.envoy.pod_security).
    """
    asked = asked or EnvoyBootstrap()
    settings = BootstrapSettings(gateway=gateway, node_id=gateway, xds=xds, admin_port=ADMIN_PORT)
    config = bootstrap(settings)
    # The Pod's own name, which --service-node gives, is who it is.
    del config["node"]["id"]
    static = config["static_resources"]
    if secured:
        secure(static["clusters"][0], xds.host)
    static["clusters"].append(_admin_cluster())
    proxied = bool(asked.enable_readiness_probe_proxy_protocol)
    static["listeners"] = [_ready_listener(drain, proxied=proxied)]
    if asked.dns_resolver is not None and asked.dns_resolver.udp_max_queries is not None:
        config["typed_dns_resolver_config"] = _resolver(asked.dns_resolver.udp_max_queries)
    if asked.log_format is not None and asked.log_format.json is not None:
        form = {"json_format": asked.log_format.json}
        config["application_log_config"] = {"log_format": form}
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


def _resolver(most_queries: int) -> Json:
    """How many questions are asked by one socket; 0: any number."""
    extension = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3."
    config = {"@type": f"{extension}CaresDnsResolverConfig", "udp_max_queries": most_queries}
    return {"name": DNS_RESOLVER, "typed_config": config}


def _ready_listener(drain: str, *, proxied: bool) -> Json:
    """For the kubelet, who cannot reach the admin interface: that path of it, and its end.

    `proxied`: a load balancer asks too, and begins with the PROXY protocol; the kubelet does not.
    """
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
    listening = "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3."
    proxy_protocol = {
        "@type": f"{listening}ProxyProtocol",
        "allow_requests_without_proxy_protocol": True,
    }
    return {
        "name": "serai_ready",
        "address": {"socket_address": address},
        "listener_filters": [{"name": "proxy", "typed_config": proxy_protocol}] if proxied else [],
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
