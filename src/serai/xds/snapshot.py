"""The resources of every proxy, as one collection whose changes are what has to be sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import msgspec

from serai.api.meta import Key
from serai.incremental import Derived, Graph, Index, Node, Reader, Union, mapped
from serai.ir.cluster import Cluster, ClusterEndpoints, Discovery
from serai.ir.listener import FilterChain, Listener
from serai.ir.route import RouteConfiguration, Scope
from serai.ir.secret import Secret
from serai.ir.viewpoint import Viewpoint
from serai.model.inputs import ViewpointKey
from serai.model.settings import Settings
from serai.policies.tokens.requirement import KeySource
from serai.translate.applied import Applied
from serai.translate.clusters import ClusterKey, Proxied, SenderKey
from serai.translate.collections import Named
from serai.translate.gateway_hosts import HostKey
from serai.translate.localities import relevant
from serai.translate.routed import Routed
from serai.translate.sights import Sight
from serai.translate.tokens import Fetch, TokenFilter, TokenFilters
from serai.xds.encode.cluster import encode_cluster
from serai.xds.encode.division import divided
from serai.xds.encode.endpoint import encode_endpoints
from serai.xds.encode.listener import encode_chain, encode_listener
from serai.xds.encode.route import encode_host, encode_routes, encode_scope, join_hosts
from serai.xds.encode.secret import encode_secret
from serai.xds.encode.tokens import encode_token_filter
from serai.xds.resource import Resource, ResourceKey, ResourceType

T = TypeVar("T")


class SnapshotKey(NamedTuple):
    """A resource of one proxy."""

    proxy: Key
    type: ResourceType
    name: str
    viewpoint: Viewpoint | None = None
    """Of the clients that get it instead of what all others get (None)."""

    @property
    def resource(self) -> ResourceKey:
        """Its identity within the proxy."""
        return ResourceKey(self.type, self.name)


class Translated(msgspec.Struct, frozen=True):
    """What translation produced: what every proxy should do."""

    listeners: Node[Named, Listener]
    chains: Node[Named, FilterChain]
    scopes: Node[Named, Scope]
    routed: Routed
    demand: Index[Proxied, SenderKey]
    chosen: Node[Proxied, ClusterKey]
    clusters: Node[ClusterKey, Cluster]
    endpoints: Node[ClusterKey, ClusterEndpoints]
    applied: Applied
    """What became of the policies for clusters."""
    users: Index[str, Proxied]
    """The proxies that send to a cluster, by its name."""
    viewpoints: Index[Key, ViewpointKey]
    sights: Node[Sight, Viewpoint]
    secrets: Node[Named, Secret]
    tokens: TokenFilters
    """What is verified of tokens."""
    fetches: Node[KeySource, Fetch]
    """The key sets that have to be fetched for that."""

    @property
    def routes(self) -> Node[Named, RouteConfiguration]:
        """All route configurations."""
        return self.routed.every


def snapshot(
    graph: Graph, translated: Translated, settings: Settings
) -> Union[SnapshotKey, Resource]:
    """Encode everything, each thing once however many proxies and viewpoints share it."""
    return Union(
        graph,
        "snapshot",
        (
            *_clusters(graph, translated, settings),
            _own(graph, "listener resources", translated.listeners, encode_listener),
            _own(graph, "chain resources", translated.chains, encode_chain),
            _token_filters(graph, translated.tokens.filters),
            _own(graph, "secret resources", translated.secrets, encode_secret),
            _own(graph, "scope resources", translated.scopes, encode_scope),
            _own(
                graph,
                "route resources",
                translated.routed.of_captured,
                lambda row: encode_routes(row, settings.trust_domains),
            ),
            _gateway_routes(graph, translated.routed, settings),
        ),
    )


def _clusters(
    graph: Graph, translated: Translated, settings: Settings
) -> tuple[Derived[SnapshotKey, Resource], ...]:
    """The clusters that each proxy sends to, with their endpoints: for all, and by place."""
    clusters = mapped(
        graph,
        "cluster resources",
        translated.clusters,
        lambda _, __, row: encode_cluster(row, settings, settings.viewpoint),
    )
    endpoints = mapped(
        graph,
        "endpoint resources",
        translated.endpoints,
        lambda _, __, row: encode_endpoints(row, settings.viewpoint),
    )

    def demanded(
        reader: Reader, key: Proxied, chosen: ClusterKey
    ) -> Iterator[tuple[SnapshotKey, Resource]]:
        for found in (reader.get(clusters, chosen), reader.get(endpoints, chosen)):
            if found is not None:
                yield SnapshotKey(key.proxy, *found.key), found

    by_sight = _by_sight(graph, translated, settings, clusters, endpoints)
    return (
        Derived(graph, "clusters of proxy", translated.chosen, demanded),
        _seen(graph, translated, by_sight),
    )


def _by_sight(
    graph: Graph,
    translated: Translated,
    settings: Settings,
    clusters: Node[ClusterKey, Resource],
    endpoints: Node[ClusterKey, Resource],
) -> Derived[Sight, Resource]:
    """What is different there from what all others get: a load assignment, or a DNS cluster."""

    def encoded(reader: Reader, key: Sight, viewpoint: Viewpoint) -> Resource | None:
        cluster = reader.get(translated.clusters, key.cluster)
        if cluster is not None and cluster.discovery is Discovery.DNS:
            found = encode_cluster(cluster, settings, viewpoint)
            shared = reader.get(clusters, key.cluster)
        elif row := reader.get(translated.endpoints, key.cluster):
            found = encode_endpoints(row, viewpoint)
            shared = reader.get(endpoints, key.cluster)
        else:
            return None
        return None if shared and shared.version == found.version else found

    return mapped(graph, "resources by sight", translated.sights, encoded)


def _seen(
    graph: Graph, translated: Translated, by_sight: Node[Sight, Resource]
) -> Derived[SnapshotKey, Resource]:
    """What each proxy's clients get because of where they are."""

    def rows(
        reader: Reader, key: Proxied, chosen: ClusterKey
    ) -> Iterator[tuple[SnapshotKey, Resource]]:
        places = reader.members(translated.viewpoints, key.proxy)
        cluster = reader.get(translated.clusters, chosen) if places else None
        if cluster is None or cluster.distribution is None:
            return
        for place in places:
            sight = Sight(chosen, relevant(cluster.distribution, place.viewpoint))
            found = reader.get(by_sight, sight)
            if found is not None:
                yield SnapshotKey(key.proxy, *found.key, place.viewpoint), found

    return Derived(graph, "clusters of viewpoint", translated.chosen, rows)


def _gateway_routes(
    graph: Graph, routed: Routed, settings: Settings
) -> Derived[SnapshotKey, Resource]:
    """Route configurations of gateways, each from the bytes of its virtual hosts."""
    encoded = mapped(
        graph,
        "bytes of virtual hosts",
        routed.hosts.hosts,
        lambda _, __, row: encode_host(row, settings.trust_domains),
    )

    def rows(
        reader: Reader, key: Named, row: RouteConfiguration
    ) -> Iterator[tuple[SnapshotKey, Resource]]:
        (part, *_) = reader.members(routed.divided.by_name, key)
        hosts = [
            reader.get(encoded, HostKey(part.table, host.name))
            or encode_host(host, settings.trust_domains)
            for host in row.virtual_hosts
        ]
        resource = divided(row) if row.parts else join_hosts(row, hosts)
        yield SnapshotKey(key.proxy, *resource.key), resource

    return Derived(graph, "route resources of gateways", routed.of_gateways, rows)


def _token_filters(graph: Graph, filters: Node[Key, TokenFilter]) -> Derived[SnapshotKey, Resource]:
    def rows(_: Reader, proxy: Key, row: TokenFilter) -> Iterator[tuple[SnapshotKey, Resource]]:
        resource = encode_token_filter(row)
        yield SnapshotKey(proxy, *resource.key), resource

    return Derived(graph, "token filter resources", filters, rows)


def _own(
    graph: Graph, name: str, source: Node[Named, T], encode: Callable[[T], Resource]
) -> Derived[SnapshotKey, Resource]:
    def rows(_: Reader, key: Named, row: T) -> Iterator[tuple[SnapshotKey, Resource]]:
        resource = encode(row)
        yield SnapshotKey(key.proxy, *resource.key), resource

    return Derived(graph, name, source, rows)
