"""Hosts that are looked up as they are asked for: what HTTP filters, routes and clusters need.

The name that is looked up is the request's host without its port, if the service's own host
covers it, and never what it does not cover.  The port is the service's.  Each address that a name
resolves to is a host of its own in a cluster inside the proxy (`DFPCluster:<name>:<port>`), so
that the one which was chosen, and no other, is compared with what is refused before a connection
is made to it.  Envoy: dynamic forward proxy, upstream RBAC.
"""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import re2

from serai.attach.hostnames import ANY
from serai.ir.route import LookUp, WeightedCluster
from serai.model.reserved import RESERVED
from serai.model.settings import Settings
from serai.proto.envoy import (
    DynamicForwardProxy,
    DynamicForwardProxyCluster,
    HeaderToMetadata,
    HttpRBAC,
    HttpSetFilterState,
    UpstreamCodec,
    UpstreamIpPortMatcher,
)
from serai.proto.pool import pack

_METADATA = "serai.look_up"
_TO_METADATA = "envoy.filters.http.header_to_metadata"
_TO_STATE = "envoy.filters.http.set_filter_state"
_MOST_NAMES = 1024
"""Names under lookup at a time by one cluster; further ones are answered 503."""
NO_NAME = "unmatched.invalid"
"""Looked up in place of a name that may not be.  RFC 6761: it never resolves."""


def http_filters() -> list[dict[str, Any]]:
    """The filters that look up; without what a route says they do nothing.

    They are in every connection manager: adding them later would drain its connections.
    """
    found = DynamicForwardProxy(
        sub_cluster_config={"cluster_init_timeout": timedelta(seconds=5)},
        allow_dynamic_host_from_filter_state=True,
    )
    return [
        {"name": _TO_METADATA, "typed_config": pack(HeaderToMetadata())},
        {"name": _TO_STATE, "typed_config": pack(HttpSetFilterState())},
        {"name": "envoy.filters.http.dynamic_forward_proxy", "typed_config": pack(found)},
    ]


def looked_up(look_up: LookUp, authority: str) -> str:
    """The name that is looked up for a request's host; empty if it is not covered."""
    found = re2.fullmatch(_pattern(look_up.hosts), authority)
    return (found[1] or "").lower() if found else ""


def filter_config(cluster: WeightedCluster, rewrite_host: str | None) -> dict[str, Any]:
    """The `typed_per_filter_config` of a route to a cluster, if it looks up; else nothing."""
    look_up = cluster.look_up
    if look_up is None:
        return {}
    literal = looked_up(look_up, rewrite_host) or NO_NAME if rewrite_host else ""
    host = literal or f"%DYNAMIC_METADATA({_METADATA}:host)%"
    state = HttpSetFilterState(
        on_request_headers=[
            _state("envoy.upstream.dynamic_host", host),
            _state("envoy.upstream.dynamic_port", str(look_up.port)),
        ]
    )
    configs = {_TO_STATE: pack(state)}
    if not literal:
        configs[_TO_METADATA] = pack(HeaderToMetadata(request_rules=[_rule(look_up)]))
    return configs


def dynamic_cluster() -> dict[str, Any]:
    """The discovery of a cluster that looks up the host of each request."""
    found = DynamicForwardProxyCluster(
        sub_clusters_config={
            "max_sub_clusters": {"value": _MOST_NAMES},
            "sub_cluster_ttl": timedelta(minutes=5),
        }
    )
    return {
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {
            "name": "envoy.clusters.dynamic_forward_proxy",
            "typed_config": pack(found),
        },
    }


def address_guard(settings: Settings) -> list[dict[str, Any]]:
    """The upstream filters of such a cluster: 403 for what resolves to where nobody should go."""
    reserved = {"or_rules": {"rules": [_lies_in(each) for each in RESERVED]}}
    allowed = [_lies_in(each) for each in settings.allow_resolved]
    excepted = [{"not_rule": {"or_rules": {"rules": allowed}}}] if allowed else []
    refused = {
        "permissions": [{"and_rules": {"rules": [reserved, *excepted]}}],
        "principals": [{"any": True}],
    }
    guard = HttpRBAC(rules={"action": "DENY", "policies": {"reserved-address": refused}})
    return [
        {"name": "envoy.filters.http.upstream_rbac", "typed_config": pack(guard)},
        {"name": "envoy.filters.http.upstream_codec", "typed_config": pack(UpstreamCodec())},
    ]


def _pattern(hosts: str) -> str:
    """Group 1 is the name, if it is covered.  Anything is matched, so as to be replaced."""
    # Any host is none without a letter or digit: a ClientHello without a name comes as a dash.
    name = r"[^:]*[0-9A-Za-z]\.?" if hosts == ANY else re.escape(hosts).replace(r"\*", "[^:]+", 1)
    return rf"(?i)^(?:({name})(?::[0-9]*)?|.*)$"


def _rule(look_up: LookUp) -> dict[str, Any]:
    return {
        "header": ":authority",
        "on_header_present": {
            "metadata_namespace": _METADATA,
            "key": "host",
            "regex_value_rewrite": {
                "pattern": {"regex": _pattern(look_up.hosts)},
                "substitution": r"\1",
            },
        },
    }


def _state(key: str, text: str) -> dict[str, Any]:
    return {"object_key": key, "format_string": {"text_format_source": {"inline_string": text}}}


def _lies_in(cidr: str) -> dict[str, Any]:
    network = ip_network(cidr, strict=False)
    matcher = UpstreamIpPortMatcher(
        upstream_ip={
            "address_prefix": str(network.network_address),
            "prefix_len": {"value": network.prefixlen},
        }
    )
    name = "envoy.rbac.matchers.upstream_ip_port"
    return {"matcher": {"name": name, "typed_config": pack(matcher)}}
