"""A gateway's listeners -> listeners, and the route configurations of those that speak HTTP.

Ports that speak TLS get a filter chain for each listener: serai.translate.gateway_tls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serai.api.meta import Key
from serai.attach.gateways import Proxy, Role
from serai.attach.listeners import ListenerKey, ListenerState
from serai.incremental import Derived, Graph, Reader
from serai.ir.listener import Listener, NamedRoutes, TcpForward
from serai.ir.origin import Origin
from serai.ir.route import RouteConfiguration, WeightedCluster
from serai.translate import names
from serai.translate.collections import Attached, Named
from serai.translate.gateway_hosts import GatewayHosts, Table
from serai.translate.gateway_tls import (
    Beside,
    GatewayPortKey,
    ended_by,
    https_hosts,
    in_one,
    sni_chains,
    told_apart,
    told_by_sni,
)
from serai.translate.listener_policies import of_chain, of_port
from serai.translate.streams import streams

REJECTED = TcpForward((WeightedCluster(None),))
"""Connections are closed: there is no such cluster."""


def gateway_listeners(graph: Graph, attached: Attached) -> Derived[Named, Listener]:
    """A listener for each port of a gateway that has a usable listener of the Gateway API."""

    def rows(reader: Reader, key: Key, proxy: Proxy) -> Iterator[tuple[Named, Listener]]:
        found = reader.get(attached.addresses, key)
        addresses = (attached.settings.bind,) if found is None else found
        ports = _ports(reader, attached, key, proxy) if addresses else {}
        for port, states in ports.items():
            name = names.gateway_listener(port)
            yield Named(key, name), _listener(reader, attached, addresses, states)

    return Derived(graph, "gateway listeners", attached.proxies, rows)


def gateway_routes(
    graph: Graph, attached: Attached, found: GatewayHosts
) -> Derived[Named, RouteConfiguration]:
    """A route configuration for each port in the clear, and for each HTTPS listener."""
    names_of = https_hosts(graph, attached)

    def rows(
        reader: Reader, table: Table, listeners: Sequence[ListenerKey]
    ) -> Iterator[tuple[Named, RouteConfiguration]]:
        named = table.named
        hosts = tuple(host for _, host in reader.rows(found.of_routes, named, found.hosts))
        origin = Origin(table.gateway)
        state = reader.get(attached.listeners, table.listener) if table.listener else None
        if state is not None:
            port, own = GatewayPortKey(table.gateway, table.port), state.hostname
            beside = [reader.get(names_of, Beside(port, each)) or () for each in ("", own)]
            origin = Origin(state.key.parent)
            hosts = in_one(hosts, told_apart(own, *beside), origin)
        routes = routes_on(reader, attached, listeners)
        yield named, RouteConfiguration(named.name, hosts, origin, routes)

    return Derived(graph, "gateway routes", found.listeners, rows)


def routes_on(
    reader: Reader, attached: Attached, listeners: Sequence[ListenerKey]
) -> tuple[Key, ...]:
    """The routes that attach to any of some listeners, each once."""
    found = [reader.members(attached.on_listener, each) for each in listeners]
    routes = dict.fromkeys(each.route for members in found for each in members)
    return tuple(routes if len(found) == 1 else sorted(routes))  # those of one are sorted


def _listener(
    reader: Reader, attached: Attached, addresses: tuple[str, ...], states: list[ListenerState]
) -> Listener:
    first = states[0]
    port, origin = first.listener.port, Origin(first.gateway)
    name = names.gateway_listener(port)
    settings = attached.listener_policies.of_listeners(reader, states)
    shared = of_port(settings)
    match first.listener.protocol:
        case "HTTP":
            routes = NamedRoutes(names.gateway_routes(first.gateway, port))
            return Listener(name, addresses, port, routes, origin, settings=settings)
        case "TCP":
            found = streams(reader, attached, first)
            forward = found[0].forward if found else REJECTED
            own = (*shared, *of_chain(settings, http=False))
            return Listener(name, addresses, port, forward, origin, settings=own)
        case _:
            sni, ended = sni_chains(reader, attached, states), ended_by(reader, attached, states)
            return Listener(
                name, addresses, port, None, origin, sni=sni, ended=ended, settings=shared
            )


def _ports(
    reader: Reader, attached: Attached, key: Key, proxy: Proxy
) -> dict[int, list[ListenerState]]:
    """The listeners of each TCP port; those of one port all speak TLS, or are all alike."""
    ports: dict[int, list[ListenerState]] = {}
    if proxy.role is not Role.GATEWAY:
        return ports
    for _, state in reader.rows(attached.of_proxy, key, attached.listeners):
        if state.served and (state.listener.protocol in {"HTTP", "TCP"} or told_by_sni(state)):
            ports.setdefault(state.listener.port, []).append(state)
    return ports
