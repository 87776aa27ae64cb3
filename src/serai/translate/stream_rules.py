"""What DestinationRules say of connections whose bytes are sent on, and not of their cluster.

Of shares of connections those of the first count for all, as in Istio.
"""

from __future__ import annotations

from msgspec.structs import replace

from serai.api.bounds import seconds
from serai.api.destination_rule import TcpSettings, TrafficPolicy
from serai.api.meta import Key
from serai.incremental import Reader
from serai.ir.listener import TcpForward, Tunnel
from serai.model.addresses import with_port
from serai.model.service import BackendKey
from serai.translate.collections import Attached


def as_ruled(reader: Reader, attached: Attached, proxy: Key, forward: TcpForward) -> TcpForward:
    """Where bytes go, and for how long and in what, as the rules that count at a proxy say."""
    destination = forward.clusters[0].destination if forward.clusters else None
    service = reader.get(attached.catalog.services, destination.service) if destination else None
    if destination is None or service is None:
        return forward
    host = destination.host
    backend = BackendKey(service.key, host, destination.port, destination.subset)
    rules = attached.rules.applying(reader, host, service, proxy)
    for asked in attached.rules.asked(reader, rules, backend, proxy.namespace):
        return _as_asked(forward, asked.spec)
    return forward


def _as_asked(forward: TcpForward, policy: TrafficPolicy) -> TcpForward:
    pool = policy.connection_pool
    tcp = pool.tcp if pool and pool.tcp else TcpSettings()
    timed = replace(
        forward,
        idle_timeout_seconds=seconds(tcp.idle_timeout),
        max_duration_seconds=seconds(tcp.max_connection_duration),
    )
    tunnel = policy.tunnel
    if tunnel is None:
        return timed
    kind = Tunnel.POST if tunnel.protocol == "POST" else Tunnel.CONNECT
    authority = with_port(tunnel.target_host, tunnel.target_port)
    return replace(timed, tunnel=kind, authority=authority)
