"""What is sent to workloads' own addresses: on to where it was going, past no service's routes.

HTTP is told from other bytes as on ports that do not say what they speak, so that the policies on
the waypoint see requests.  Nothing here depends on which workloads there are: that is said by the
addresses that lead to these chains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from serai.api.meta import Key
from serai.attach.gateways import Proxy
from serai.attach.hostnames import ANY
from serai.attach.workload_capture import TRAFFIC, Captured, WorkloadAddress
from serai.incremental import Derived, Graph, Index, Node, Reader, mapped
from serai.ir.cluster import Cluster, Discovery
from serai.ir.listener import ChainMatch, FilterChain, Listener, NamedRoutes, TcpForward
from serai.ir.match import RequestMatch
from serai.ir.origin import Origin
from serai.ir.route import Forward, Route, RouteConfiguration, WeightedCluster
from serai.translate import names
from serai.translate.collections import Attached, Named
from serai.translate.default_route import DEFAULT
from serai.translate.precedence import first_of_each
from serai.translate.virtual_hosts import HostGroup, virtual_hosts


class Workloads(msgspec.Struct, frozen=True):
    """All of it."""

    matches: Node[WorkloadAddress, ChainMatch]
    chains: Node[Named, FilterChain]
    listeners: Node[Named, Listener]
    routes: Node[Named, RouteConfiguration]
    clusters: Node[str, Cluster]


def workloads(graph: Graph, attached: Attached) -> Workloads:
    """What waypoints do with what is sent to workloads' own addresses."""
    return Workloads(
        matches=_matches(graph, attached.workloads.addresses),
        chains=_chains(graph, attached),
        listeners=_listeners(graph, attached),
        routes=_routes(graph, attached),
        clusters=_clusters(graph, attached),
    )


def _matches(
    graph: Graph, addresses: Node[WorkloadAddress, Captured]
) -> Derived[WorkloadAddress, ChainMatch]:
    """Which addresses lead to these chains, whatever the port."""

    def match(_: Reader, key: WorkloadAddress, row: Captured) -> ChainMatch:
        return ChainMatch(key.address, 0, names.workloads(tunnels=row.in_mesh))

    return mapped(graph, "chain matches of workloads", addresses, match)


def _ways(proxy: Proxy) -> tuple[bool, ...]:
    """Whether tunnels are opened: not, and by a waypoint without a ztunnel beside it also that."""
    return (False, True) if proxy.serves(TRAFFIC) else ()


def _chains(graph: Graph, attached: Attached) -> Derived[Named, FilterChain]:
    """The chains of each waypoint for workloads."""

    def rows(_: Reader, key: Key, proxy: Proxy) -> Iterator[tuple[Named, FilterChain]]:
        for tunnels in _ways(proxy):
            name = names.workloads(tunnels=tunnels)
            inwards = TcpForward((WeightedCluster(name),), relayed=True)
            yield Named(key, name), FilterChain(name, inwards, Origin(key), identified=True)

    return Derived(graph, "chains of workloads", attached.proxies, rows)


def _listeners(graph: Graph, attached: Attached) -> Derived[Named, Listener]:
    """The listeners inside such a waypoint that tell HTTP from other bytes."""

    def rows(reader: Reader, key: Key, proxy: Proxy) -> Iterator[tuple[Named, Listener]]:
        around = attached.policies.of_gateway(reader, key) if _ways(proxy) else ()
        for tunnels in _ways(proxy):
            name = names.workloads(tunnels=tunnels)
            out = _out(proxy, tunnels=tunnels)
            forward = TcpForward(
                (out,),
                leaves=first_of_each(around),
                relayed=out.cluster == names.ENCAPSULATED,
            )
            routes = NamedRoutes(name)
            listener = Listener(name, (), 0, forward, Origin(key), tunnelled=True, requests=routes)
            yield Named(key, name), listener

    return Derived(graph, "listeners of workloads", attached.proxies, rows)


def _routes(graph: Graph, attached: Attached) -> Derived[Named, RouteConfiguration]:
    """What is done with the requests: the policies on the waypoint, and on to the workload."""

    def rows(reader: Reader, key: Key, proxy: Proxy) -> Iterator[tuple[Named, RouteConfiguration]]:
        around = attached.policies.of_gateway(reader, key) if _ways(proxy) else ()
        for tunnels in _ways(proxy):
            to = Forward((_out(proxy, tunnels=tunnels),))
            only = Route(DEFAULT, RequestMatch(), to, Origin(key))
            group = HostGroup(ANY, (), otherwise=only, leaves=tuple(around))
            hosts = (attached.policies.in_force(reader, each) for each in virtual_hosts((group,)))
            name = names.workloads(tunnels=tunnels)
            yield Named(key, name), RouteConfiguration(name, tuple(hosts), Origin(key), ())

    return Derived(graph, "routes of workloads", attached.proxies, rows)


def _out(proxy: Proxy, *, tunnels: bool) -> WeightedCluster:
    """A waypoint beside a ztunnel leaves tunnels to it."""
    return WeightedCluster(names.ENCAPSULATED if tunnels and proxy.hears_names else names.PASSED)


def _clusters(graph: Graph, attached: Attached) -> Derived[str, Cluster]:
    """Where connections to workloads go: to the address that they came for."""
    by_name: Index[str, Key] = Index(
        graph,
        "waypoints for workloads",
        attached.proxies,
        lambda _, proxy: (
            ((names.PASSED, names.ENCAPSULATED) if proxy.hears_names else (names.PASSED,))
            if proxy.serves(TRAFFIC)
            else ()
        ),
    )

    def cluster(_: Reader, name: str, proxies: Sequence[Key]) -> Cluster:
        tunnels = name == names.ENCAPSULATED
        return Cluster(
            name=name,
            discovery=Discovery.INTERNAL if tunnels else Discovery.ORIGINAL_DST,
            origin=Origin(proxies[0]),
            alt_stat_name=names.stat_name(name),
            internal_listener=names.ORIGINATE if tunnels else "",
            passes_state=tunnels,
            follow_client=True,
        )

    return mapped(graph, "clusters of workloads", by_name, cluster)
