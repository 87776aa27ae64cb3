"""The resources of every proxy, as one collection whose changes are what has to be sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from serai.api.meta import Key
from serai.incremental import Derived, Graph, Index, Node, Reader, Union, mapped
from serai.ir.cluster import Cluster, ClusterEndpoints
from serai.ir.listener import FilterChain, Listener
from serai.ir.route import RouteConfiguration, Scope
from serai.model.settings import Settings
from serai.translate.clusters import Proxied, SenderKey
from serai.translate.collections import Named
from serai.xds.encode.cluster import encode_cluster
from serai.xds.encode.endpoint import encode_endpoints
from serai.xds.encode.listener import encode_chain, encode_listener
from serai.xds.encode.route import encode_routes, encode_scope
from serai.xds.resource import Resource, ResourceKey

T = TypeVar("T")


class SnapshotKey(NamedTuple):
    """A resource of one proxy."""

    proxy: Key
    resource: ResourceKey


class Translated(msgspec.Struct, frozen=True):
    """What translation produced: what every proxy should do."""

    listeners: Node[Named, Listener]
    chains: Node[Named, FilterChain]
    scopes: Node[Named, Scope]
    routes: Node[Named, RouteConfiguration]
    demand: Index[Proxied, SenderKey]
    clusters: Node[str, Cluster]
    endpoints: Node[str, ClusterEndpoints]


def snapshot(
    graph: Graph, translated: Translated, settings: Settings
) -> Union[SnapshotKey, Resource]:
    """Encode everything, each thing once however many proxies share it."""
    clusters = mapped(
        graph,
        "cluster resources",
        translated.clusters,
        lambda _, __, row: encode_cluster(row, settings),
    )
    endpoints = mapped(
        graph, "endpoint resources", translated.endpoints, lambda _, __, row: encode_endpoints(row)
    )

    def demanded(
        reader: Reader, key: Proxied, _: Sequence[SenderKey]
    ) -> Iterator[tuple[SnapshotKey, Resource]]:
        for found in (reader.get(clusters, key.cluster), reader.get(endpoints, key.cluster)):
            if found is not None:
                yield SnapshotKey(key.proxy, found.key), found

    return Union(
        graph,
        "snapshot",
        (
            Derived(graph, "clusters of proxy", translated.demand, demanded),
            _own(graph, "listener resources", translated.listeners, encode_listener),
            _own(graph, "chain resources", translated.chains, encode_chain),
            _own(graph, "scope resources", translated.scopes, encode_scope),
            _own(
                graph,
                "route resources",
                translated.routes,
                lambda row: encode_routes(row, settings.trust_domain),
            ),
        ),
    )


def _own(
    graph: Graph, name: str, source: Node[Named, T], encode: Callable[[T], Resource]
) -> Derived[SnapshotKey, Resource]:
    def rows(_: Reader, key: Named, row: T) -> Iterator[tuple[SnapshotKey, Resource]]:
        resource = encode(row)
        yield SnapshotKey(key.proxy, resource.key), resource

    return Derived(graph, name, source, rows)
