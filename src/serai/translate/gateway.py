"""A gateway's listeners -> listeners, and the route configurations of those that speak HTTP.

Ports that speak TLS get a filter chain for each listener: serai.translate.gateway_tls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serai.api.meta import Key
from serai.attach.gateways import Proxy, Role
from serai.attach.listeners import ListenerKey, ListenerState
from serai.incremental import Derived, Graph, Node, Reader
from serai.ir.listener import CLOSED, Listener, NamedRoutes
from serai.ir.origin import Origin
from serai.ir.route import RouteConfiguration, VirtualHost
from serai.translate import names
from serai.translate.collections import Attached, Named
from serai.translate.division import PARTS, WHOLE, Division, Part, Shape, part_of
from serai.translate.gateway_hosts import GatewayHosts, HostKey
from serai.translate.gateway_tls import (
    Beside,
    GatewayPortKey,
    ended_by,
    hello_hosts,
    in_one,
    sni_chains,
    told_apart,
)
from serai.translate.listener_policies import of_chain, of_port
from serai.translate.streams import streams


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
    graph: Graph, attached: Attached, found: GatewayHosts, divided: Division
) -> Derived[Named, RouteConfiguration]:
    """The route configurations of each port in the clear, and of each HTTPS listener."""
    look = _Tables(attached, found, divided, hello_hosts(graph, attached))

    def rows(
        reader: Reader, part: Part, shape: Shape
    ) -> Iterator[tuple[Named, RouteConfiguration]]:
        named, origin = part.named, look.origin(reader, part)
        if shape.divided:
            parts = tuple(Part(part.table, number).named.name for number in range(PARTS))
            yield named, RouteConfiguration(named.name, (), origin, parts=parts)
            return
        keys, routes = look.keys(reader, part), look.routes(reader, part)
        hosts = tuple(host for key in keys if (host := reader.get(found.hosts, key)))
        hosts = look.beside(reader, part, hosts)
        yield named, RouteConfiguration(named.name, hosts, origin, routes)

    return Derived(graph, "gateway routes", divided.parts, rows)


class _Tables:
    """Where a route configuration looks for what is in it."""

    def __init__(
        self,
        attached: Attached,
        found: GatewayHosts,
        divided: Division,
        names_of: Node[Beside, tuple[str, ...]],
    ) -> None:
        self._attached = attached
        self._found = found
        self._divided = divided
        self._names_of = names_of

    def origin(self, reader: Reader, part: Part) -> Origin:
        state = self._state(reader, part)
        return Origin(part.table.gateway if state is None else state.key.parent)

    def keys(self, reader: Reader, part: Part) -> Sequence[HostKey]:
        """Its hosts, sorted by their patterns."""
        if part.number == WHOLE:
            return reader.members(self._found.of_table, part.table)
        return self._divided.hosts(reader, part)

    def routes(self, reader: Reader, part: Part) -> tuple[Key, ...]:
        """The routes that attach to it."""
        if part.number == WHOLE:
            listeners = reader.members(self._found.listeners, part.table)
            return routes_on(reader, self._attached, listeners)
        keys = self.keys(reader, part)
        return tuple(sorted({one for key in keys for one in self._of_host(reader, key)}))

    def beside(
        self, reader: Reader, part: Part, hosts: tuple[VirtualHost, ...]
    ) -> tuple[VirtualHost, ...]:
        """Those of an HTTPS listener, with those that are misdirected there."""
        state, table = self._state(reader, part), part.table
        if state is None:
            return hosts
        port, own = GatewayPortKey(table.gateway, table.port), state.hostname
        beside = (reader.get(self._names_of, Beside(port, each)) or () for each in ("", own))
        others = told_apart(own, *beside)
        if part.number != WHOLE:
            others = tuple(each for each in others if "*" in each or part_of(each) == part.number)
        return in_one(hosts, others, Origin(state.key.parent))

    def _of_host(self, reader: Reader, key: HostKey) -> tuple[Key, ...]:
        return reader.get(self._found.attached, key) or ()

    def _state(self, reader: Reader, part: Part) -> ListenerState | None:
        listener = part.table.listener
        return reader.get(self._attached.listeners, listener) if listener else None


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
            routes = NamedRoutes(names.gateway_routes(first.gateway, port), divisible=True)
            return Listener(name, addresses, port, routes, origin, settings=settings)
        case "TCP":
            found = streams(reader, attached, first)
            forward = found[0].forward if found else CLOSED
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
        if state.served and (state.listener.protocol in {"HTTP", "TCP"} or state.told_by_sni):
            ports.setdefault(state.listener.port, []).append(state)
    return ports
