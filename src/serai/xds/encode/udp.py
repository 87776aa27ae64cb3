"""Datagrams -> UDP proxy.

Envoy has no weights there.  What has it all: a matcher that hashes the client's port, and takes
those below a fraction; the fractions are cumulative, as those of routes are.
"""

from __future__ import annotations

from typing import Any

from serai.ir.listener import TcpForward
from serai.proto.envoy import RuntimeFraction, SourcePortInput, UdpProxy, UdpRoute
from serai.proto.pool import pack
from serai.translate.names import INVALID_BACKEND
from serai.xds.encode.body import extension
from serai.xds.encode.split import MILLION


def udp_proxy(name: str, forward: TcpForward) -> dict[str, Any]:
    """The listener filter that sends each client's datagrams to one of the clusters."""
    *first, last = forward.clusters
    total = sum(each.weight for each in forward.clusters)
    reached = 0
    matchers: list[dict[str, Any]] = []
    for each in first:
        reached += each.weight
        below = reached * MILLION // total
        matchers.append({"predicate": _below(below), "on_match": _to(each.cluster)})
    tree = {"matcher_list": {"matchers": matchers}} if matchers else {}
    proxy = UdpProxy(stat_prefix=name, matcher={**tree, "on_no_match": _to(last.cluster)})
    return extension("envoy.filters.udp_listener.udp_proxy", proxy)


def _to(cluster: str | None) -> dict[str, Any]:
    route = UdpRoute(cluster=cluster or INVALID_BACKEND)
    return {"action": {"name": "route", "typed_config": pack(route)}}


def _below(numerator: int) -> dict[str, Any]:
    share = RuntimeFraction(
        runtime_fraction={"default_value": {"numerator": numerator, "denominator": "MILLION"}}
    )
    return {
        "single_predicate": {
            "input": {"name": "client's port", "typed_config": pack(SourcePortInput())},
            "custom_match": {"name": "share", "typed_config": pack(share)},
        }
    }
