"""A gateway's listeners -> listeners and, where they are plain HTTP, a route configuration a port.

Ports that speak TLS get a filter chain for each listener: serai.translate.gateway_tls.
"""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.attach.gateways import Proxy, Role
from serai.attach.listeners import ListenerState
from serai.incremental import Derived, Graph, Reader
from serai.ir.listener import Listener, NamedRoutes, TcpForward
from serai.ir.origin import Origin
from serai.ir.route import RouteConfiguration, WeightedCluster
from serai.translate import names
from serai.translate.collections import Attached, Named
from serai.translate.gateway_tls import ended_by, sni_chains, told_by_sni
from serai.translate.listener_policies import of_chain, of_port
from serai.translate.listener_routes import host_group, routes_on
from serai.translate.redirects import at_port
from serai.translate.streams import streams
from serai.translate.virtual_hosts import virtual_hosts

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


def gateway_routes(graph: Graph, attached: Attached) -> Derived[Named, RouteConfiguration]:
    """A route configuration for each port of a gateway that speaks plain HTTP."""

    def rows(reader: Reader, key: Key, proxy: Proxy) -> Iterator[tuple[Named, RouteConfiguration]]:
        for port, found in _ports(reader, attached, key, proxy).items():
            states = [state for state in found if state.listener.protocol == "HTTP"]
            if not states:
                continue
            name = names.gateway_routes(key, port)
            groups = tuple(host_group(reader, attached, state) for state in states)
            merged = at_port(virtual_hosts(groups), port)
            hosts = tuple(attached.policies.in_force(reader, each) for each in merged)
            routes = routes_on(reader, attached, states)
            configuration = RouteConfiguration(name, hosts, Origin(key), routes)
            yield Named(key, name), configuration

    return Derived(graph, "gateway routes", attached.proxies, rows)


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
