"""Backends -> clusters and their endpoints, and which proxy needs which."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.incremental import Derived, Graph, Index, Node, Reader, mapped
from serai.ir.cluster import Cluster, ClusterEndpoints, Discovery
from serai.ir.listener import FilterChain, Listener, TcpForward
from serai.ir.origin import Origin
from serai.ir.route import Forward, RouteConfiguration, WeightedCluster
from serai.model.service import Backend, BackendKey, Resolution
from serai.translate import names
from serai.translate.collections import Attached
from serai.translate.waypoint import Named

_DISCOVERY = {
    Resolution.KNOWN: Discovery.EDS,
    Resolution.DNS: Discovery.DNS,
    Resolution.DNS_ROUND_ROBIN: Discovery.LOGICAL_DNS,
}


def clusters_of_routes(configuration: RouteConfiguration) -> Iterator[str]:
    """The names of the clusters that a route configuration sends to."""
    for host in configuration.virtual_hosts:
        for route in host.routes:
            if isinstance(route.action, Forward):
                yield from _names(route.action.clusters)


def clusters_of_chain(chain: FilterChain | Listener) -> Iterator[str]:
    """The names of the clusters that a chain, or a listener by itself, sends to."""
    handling = chain.handling if isinstance(chain, FilterChain) else chain.default
    if isinstance(handling, TcpForward):
        yield from _names(handling.clusters)


def _names(clusters: tuple[WeightedCluster, ...]) -> Iterator[str]:
    return (each.cluster for each in clusters if each.cluster)


class Clusters:
    """The clusters that any proxy sends to, and their endpoints, by cluster name."""

    def __init__(self, graph: Graph, attached: Attached, used: Index[str, Key]) -> None:
        self._by_name: Index[str, BackendKey] = Index(
            graph, "backends by cluster", attached.cluster_names, lambda _, name: (name,)
        )
        self._backends = attached.catalog.backends
        self._endpoints = attached.catalog.endpoints
        self.clusters: Derived[str, Cluster] = mapped(graph, "clusters", used, self._cluster)
        self.endpoints: Derived[str, ClusterEndpoints] = mapped(
            graph, "cluster endpoints", self.clusters, self._cluster_endpoints
        )

    def _backend(self, reader: Reader, name: str) -> Backend | None:
        keys = reader.get(self._by_name, name)
        return reader.get(self._backends, keys[0]) if keys else None

    def _cluster(self, reader: Reader, name: str, _: tuple[Key, ...]) -> Cluster | None:
        backend = self._backend(reader, name)
        if backend is None:
            return None
        discovery = _DISCOVERY[backend.resolution]
        resolved = discovery is not Discovery.EDS
        return Cluster(
            name=name,
            discovery=discovery,
            origin=Origin(backend.key.service),
            alt_stat_name=names.alt_stat_name(backend.key),
            http2=backend.port.protocol.is_http2,
            dns_endpoints=reader.get(self._endpoints, backend.key) or () if resolved else (),
        )

    def _cluster_endpoints(
        self, reader: Reader, name: str, cluster: Cluster
    ) -> ClusterEndpoints | None:
        backend = self._backend(reader, name) if cluster.discovery is Discovery.EDS else None
        if backend is None:
            return None
        endpoints = reader.get(self._endpoints, backend.key) or ()
        return ClusterEndpoints(name, endpoints, cluster.origin)


def proxies_by_cluster(
    graph: Graph,
    name: str,
    source: Node[Named, RouteConfiguration] | Node[Named, FilterChain] | Node[Named, Listener],
) -> Index[Named, Named]:
    """From (proxy, cluster) to what of the proxy sends there."""

    def keys(key: Named, row: RouteConfiguration | FilterChain | Listener) -> Iterator[Named]:
        found = (
            clusters_of_routes(row)
            if isinstance(row, RouteConfiguration)
            else clusters_of_chain(row)
        )
        return (Named(key.proxy, cluster) for cluster in found)

    return Index(graph, name, source, keys)
