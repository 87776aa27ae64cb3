"""TLS ports of services with several hosts: each host's traffic to its own backend, by SNI.

The waypoint's own listener cannot look at ClientHellos: it would wait for one on every
connection, also where the server speaks first.  So such a port is sent through a listener inside
the proxy that does.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from serai.attach.frontends import Frontend, FrontendKey
from serai.attach.hostnames import ANY, covers, is_partial
from serai.incremental import Derived, Graph, Reader
from serai.ir.listener import Listener, ServerName, TcpForward
from serai.ir.origin import Origin
from serai.ir.route import WeightedCluster
from serai.model.service import BackendKey, Resolution
from serai.translate import names
from serai.translate.around import around_port
from serai.translate.collections import Attached, Named
from serai.translate.compiled import bytes_to
from serai.translate.own_addresses import to_the_chosen
from serai.translate.precedence import first_of_each
from serai.translate.stream_rules import as_ruled
from serai.translate.streams import Stream, on_frontend


def told_by_sni(frontend: Frontend, found: tuple[Stream, ...]) -> bool:
    """Whether a port's connections are for one of several hosts, and say for which.

    Those are the hosts of TLSRoutes, where there are any.  Where the caller has resolved the host,
    all connections go where they were going.
    """
    if found:
        return any(each.hostname != ANY for each in found)
    resolved = frontend.resolution is Resolution.NONE
    return frontend.port.protocol.is_tls and len(frontend.hosts) > 1 and not resolved


def to_host(reader: Reader, attached: Attached, frontend: Frontend, host: str) -> TcpForward:
    """Everything to the backend of one host."""
    backend = BackendKey(frontend.key.service, host, frontend.key.port)
    found = bytes_to(reader, attached.catalog, attached.cluster_names, backend)
    forward = TcpForward((found or WeightedCluster(None),))
    return as_ruled(reader, attached, frontend.key.waypoint, forward)


def sni_listeners(graph: Graph, attached: Attached) -> Derived[Named, Listener]:
    """The internal listener of each such port; what names no host of it goes to the first.

    Where hosts are looked up it goes to one that may cover it: Envoy tells `*.suffix` itself,
    and whether another wildcard covers a name is seen when it is looked up.  Where routes say what
    goes where, it is closed.
    """

    def rows(
        reader: Reader, key: FrontendKey, frontend: Frontend
    ) -> Iterator[tuple[Named, Listener]]:
        if frontend.port.protocol.is_http:
            return
        found = on_frontend(reader, attached, frontend)
        if not told_by_sni(frontend, found):
            return
        name = names.sni_switch(key)
        forwards, default = _unguarded(reader, attached, frontend, found)
        forwards = {
            host: _guarded(reader, attached, frontend, host, each)
            for host, each in forwards.items()
        }
        first = frontend.hosts[0]
        default = _guarded(reader, attached, frontend, first, default) if default else None
        yield (
            Named(key.waypoint, name),
            Listener(
                name=name,
                addresses=(),
                port=0,
                tunnelled=True,
                default=default,
                origin=Origin(key.service),
                server_names=tuple(
                    ServerName(host, to) for host, to in forwards.items() if _is_told(host)
                ),
            ),
        )

    return Derived(graph, "sni listeners", attached.frontends, rows)


def _unguarded(
    reader: Reader, attached: Attached, frontend: Frontend, found: tuple[Stream, ...]
) -> tuple[dict[str, TcpForward], TcpForward | None]:
    """Where each host's connections go, and all others."""
    if found:
        forwards = {each.hostname: each.forward for each in found}
        return forwards, forwards.get(ANY)
    forwards = {host: to_host(reader, attached, frontend, host) for host in frontend.hosts}
    return forwards, _otherwise(frontend, forwards)


def _guarded(
    reader: Reader, attached: Attached, frontend: Frontend, host: str, to: TcpForward
) -> TcpForward:
    """With what policies on the service and on this host of it ask; without SNI, on the first."""
    mine = next((each for each in frontend.hosts if each == host or covers(each, host)), "")
    around = around_port(reader, attached, frontend.key, frontend.port, mine)
    leaves = first_of_each(around)
    return replace(to_the_chosen(reader, attached, frontend, to), leaves=leaves)


def _is_told(host: str) -> bool:
    return not is_partial(host) and host != ANY


def _otherwise(frontend: Frontend, forwards: dict[str, TcpForward]) -> TcpForward | None:
    if frontend.resolution is not Resolution.DYNAMIC_DNS:
        return forwards[frontend.hosts[0]]
    rest = sorted(host for host in frontend.hosts if not _is_told(host))
    return forwards[rest[0]] if rest else None
