"""The captured ports that scoped routes cannot serve -> filter chains, and what leads to them.

Those are the ports that are not HTTP, ranges of addresses, and single addresses of HTTP that lie
in a range of another service on the same port, whose chain would take them otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address, ip_network

from msgspec.structs import replace

from serai.api.meta import Key
from serai.attach.frontends import Binding, BindingKey, Frontend, WaypointPort
from serai.attach.workload_capture import WorkloadAddress
from serai.incremental import Derived, Graph, Index, Node, Reader, mapped
from serai.ir.leaf import Leaf
from serai.ir.listener import ChainMatch, FilterChain, NamedRoutes, TcpForward
from serai.ir.origin import Origin
from serai.ir.route import WeightedCluster
from serai.model.addresses import is_range
from serai.translate import names
from serai.translate.around import around_port
from serai.translate.collections import Attached, Named
from serai.translate.listener_policies import of_chain
from serai.translate.own_addresses import to_the_chosen
from serai.translate.precedence import first_of_each
from serai.translate.sni import to_host, told_by_sni
from serai.translate.streams import on_frontend


def chain_matches(graph: Graph, attached: Attached) -> Derived[BindingKey, ChainMatch]:
    """Which addresses and ports go to a filter chain of their own."""

    def match(reader: Reader, key: BindingKey, binding: Binding) -> ChainMatch | None:
        frontend = reader.get(attached.frontends, binding.frontend)
        if frontend is None:
            return None
        http = frontend.port.protocol.is_http
        if key.cidr in frontend.names:
            alone = not frontend.addresses
            chain = names.frontend(frontend.key, http=http)
            if http and not alone:
                return None
            return ChainMatch(key.cidr, key.port, chain, by_name=True, unaddressed=alone)
        if http and not is_range(key.cidr) and not _is_anothers(reader, attached, key):
            return None
        return ChainMatch(key.cidr, key.port, names.frontend(frontend.key, http=http))

    return mapped(graph, "chain matches", attached.bindings, match)


def _is_anothers(reader: Reader, attached: Attached, key: BindingKey) -> bool:
    """Whether a chain of something else would take the address: of a range, or of a workload."""
    if reader.get(attached.workloads.addresses, WorkloadAddress(key.waypoint, key.cidr)):
        return True
    found = reader.members(attached.ranges, WaypointPort(key.waypoint, key.port))
    address = ip_address(key.cidr)
    return any(address in ip_network(each.cidr) for each in found)


Forwards = Callable[[Reader, Attached, Frontend], TcpForward]


def frontend_chains(
    graph: Graph, attached: Attached, matches: Node[BindingKey, ChainMatch], to: Forwards
) -> Derived[Named, FilterChain]:
    """A filter chain for each captured port that something leads to one.

    `to` says where bytes go.
    """
    by_chain: Index[Named, BindingKey] = Index(
        graph,
        "chain matches of chain",
        matches,
        lambda key, match: (Named(key.waypoint, match.chain),),
    )

    def rows(
        reader: Reader, key: Named, leading: Sequence[BindingKey]
    ) -> Iterator[tuple[Named, FilterChain]]:
        binding = reader.get(attached.bindings, leading[0])
        frontend = reader.get(attached.frontends, binding.frontend) if binding else None
        if frontend is not None:
            http = frontend.port.protocol.is_http
            inside = frontend.key.tunnels
            routes = NamedRoutes(key.name, destined=inside)
            handling = routes if http else to(reader, attached, frontend)
            origin = Origin(frontend.key.service)
            own = of_chain(asked_of(reader, attached, key.proxy), http=http)
            chain = FilterChain(key.name, handling, origin, identified=True, settings=own)
            yield key, chain

    return Derived(graph, "frontend chains", by_chain, rows)


def asked_of(reader: Reader, attached: Attached, waypoint: Key) -> tuple[Leaf, ...]:
    """What listener policies ask of all that a waypoint captures."""
    proxy = reader.get(attached.proxies, waypoint)
    found = proxy.listeners if proxy else ()
    return attached.listener_policies.of_waypoint(reader, waypoint, found)


def forward(reader: Reader, attached: Attached, frontend: Frontend) -> TcpForward:
    """Where the bytes of a captured port go: as routes say, else to its host.

    What tells its hosts apart by SNI stands between, where there is something to tell; there it is
    also known which host's policies count.
    """
    found = on_frontend(reader, attached, frontend)
    if told_by_sni(frontend, found):
        return TcpForward((WeightedCluster(names.sni_switch(frontend.key)),), relayed=True)
    around = around_port(reader, attached, frontend.key, frontend.port, frontend.key.host)
    leaves = first_of_each(around)
    only = found[0].forward if found else to_host(reader, attached, frontend, frontend.hosts[0])
    return replace(to_the_chosen(reader, attached, frontend, only), leaves=leaves)
