"""A gateway's listeners -> listeners and route configurations, one of each for a port."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.attach.gateways import Proxy, Role
from serai.attach.listeners import ListenerState
from serai.attach.routes import ListenerTarget
from serai.incremental import Derived, Graph, Reader
from serai.ir.leaf import Leaf
from serai.ir.listener import Listener, NamedRoutes
from serai.ir.origin import Origin
from serai.ir.route import RouteConfiguration
from serai.translate import names
from serai.translate.collections import Attached, Named
from serai.translate.redirects import at_port
from serai.translate.virtual_hosts import HostGroup, HostRoutes, virtual_hosts


def gateway_listeners(graph: Graph, attached: Attached) -> Derived[Named, Listener]:
    """A listener for each port of a gateway that has a usable listener of the Gateway API."""

    def rows(reader: Reader, key: Key, proxy: Proxy) -> Iterator[tuple[Named, Listener]]:
        for port in _ports(reader, attached, key, proxy):
            name = names.gateway_listener(port)
            addresses = reader.get(attached.addresses, key) or (attached.settings.bind,)
            routes = NamedRoutes(names.gateway_routes(key, port))
            yield Named(key, name), Listener(name, addresses, port, routes, Origin(key))

    return Derived(graph, "gateway listeners", attached.proxies, rows)


def gateway_routes(graph: Graph, attached: Attached) -> Derived[Named, RouteConfiguration]:
    """A route configuration for each port of a gateway."""

    def rows(reader: Reader, key: Key, proxy: Proxy) -> Iterator[tuple[Named, RouteConfiguration]]:
        for port, states in _ports(reader, attached, key, proxy).items():
            name = names.gateway_routes(key, port)
            groups = tuple(_group(reader, attached, state) for state in states)
            merged = at_port(virtual_hosts(groups), port)
            hosts = tuple(attached.policies.in_force(reader, each) for each in merged)
            found = (reader.members(attached.on_listener, state.key) for state in states)
            routes = tuple(sorted({each.route for members in found for each in members}))
            configuration = RouteConfiguration(name, hosts, Origin(key), routes)
            yield Named(key, name), configuration

    return Derived(graph, "gateway routes", attached.proxies, rows)


def _ports(
    reader: Reader, attached: Attached, key: Key, proxy: Proxy
) -> dict[int, list[ListenerState]]:
    ports: dict[int, list[ListenerState]] = {}
    if proxy.role is not Role.GATEWAY:
        return ports
    for _, state in reader.rows(attached.of_proxy, key, attached.listeners):
        if state.accepted.ok and state.listener.protocol == "HTTP":
            ports.setdefault(state.listener.port, []).append(state)
    return ports


def _group(reader: Reader, attached: Attached, state: ListenerState) -> HostGroup:
    entries: list[HostRoutes] = []
    for key, attachment in reader.rows(attached.on_listener, state.key, attached.attachments):
        compiled = reader.get(attached.compiled, key)
        entries += [
            HostRoutes(target.hostnames, compiled.routes)
            for target in attachment.targets
            if compiled and isinstance(target, ListenerTarget) and target.listener == state.key
        ]
    return HostGroup(state.hostname, tuple(entries), leaves=tuple(_leaves(reader, attached, state)))


def _leaves(reader: Reader, attached: Attached, state: ListenerState) -> list[Leaf]:
    """Of the policies on a listener; those on a ListenerSet are for its own listeners only."""
    policies, (parent, name) = attached.policies, state.key
    if parent == state.gateway:
        return policies.of_gateway(reader, parent, name)
    return [*policies.at(reader, parent, (name,)), *policies.of_gateway(reader, state.gateway)]
