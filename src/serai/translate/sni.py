"""TLS ports of services with several hosts: each host's traffic to its own backend, by SNI.

The waypoint's own listener cannot look at ClientHellos: it would wait for one on every
connection, also where the server speaks first.  So such a port is sent through a listener inside
the proxy that does.
"""

from __future__ import annotations

from collections.abc import Iterator

from serai.attach.frontends import Frontend, FrontendKey
from serai.attach.hostnames import is_partial
from serai.incremental import Derived, Graph, Node, Reader
from serai.ir.cluster import Cluster, Discovery
from serai.ir.listener import Listener, ServerName, TcpForward
from serai.ir.origin import Origin
from serai.ir.route import WeightedCluster
from serai.model.service import BackendKey, Resolution
from serai.translate import names
from serai.translate.collections import Attached, Named


def tells_by_sni(frontend: Frontend) -> bool:
    """Whether a port's connections are for one of several hosts, and say for which.

    Where the caller has resolved the host, all of them go where they were going.
    """
    resolved = frontend.resolution is Resolution.NONE
    return frontend.port.protocol.is_tls and len(frontend.hosts) > 1 and not resolved


def to_host(reader: Reader, attached: Attached, frontend: Frontend, host: str) -> TcpForward:
    """Everything to the backend of one host."""
    backend = BackendKey(frontend.key.service, host, frontend.key.port)
    return TcpForward((WeightedCluster(reader.get(attached.cluster_names, backend)),))


def sni_listeners(graph: Graph, attached: Attached) -> Derived[Named, Listener]:
    """The internal listener of each such port; what names no host of it goes to the first."""

    def rows(
        reader: Reader, key: FrontendKey, frontend: Frontend
    ) -> Iterator[tuple[Named, Listener]]:
        if not tells_by_sni(frontend):
            return
        name = names.sni_switch(key)
        forwards = {host: to_host(reader, attached, frontend, host) for host in frontend.hosts}
        yield (
            Named(key.waypoint, name),
            Listener(
                name=name,
                addresses=(),
                port=0,
                default=forwards[frontend.hosts[0]],
                origin=Origin(key.service),
                server_names=tuple(
                    ServerName(host, to) for host, to in forwards.items() if not is_partial(host)
                ),
            ),
        )

    return Derived(graph, "sni listeners", attached.frontends, rows)


def sni_clusters(graph: Graph, listeners: Node[Named, Listener]) -> Derived[str, Cluster]:
    """The cluster that leads to each of these listeners."""

    def rows(_: Reader, key: Named, listener: Listener) -> Iterator[tuple[str, Cluster]]:
        cluster = Cluster(
            name=key.name,
            discovery=Discovery.INTERNAL,
            origin=listener.origin,
            alt_stat_name=names.stat_name(key.name),
            internal_listener=key.name,
        )
        yield key.name, cluster

    return Derived(graph, "sni clusters", listeners, rows)
