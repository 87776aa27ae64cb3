"""The virtual hosts of gateways, one by one.

An edge may have thousands of them in one route configuration.  A route that changes makes only
its own anew; all that is left to do for the others is to put them side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from serai.api.meta import Key
from serai.attach.gateways import Role
from serai.attach.listeners import HelloKey, ListenerKey, ListenerState
from serai.attach.routes import Attachment, AttachmentKey, ListenerTarget
from serai.incremental import Derived, Graph, Index, Node, Reader, Union, mapped
from serai.ir.leaf import Leaf
from serai.ir.match import PathKind, PathMatch, RequestMatch
from serai.ir.origin import Origin
from serai.ir.route import DirectResponse, Route, RouteConfiguration, VirtualHost
from serai.model.hosts import patterns
from serai.translate import names
from serai.translate.collections import Attached, Named
from serai.translate.redirects import at_port
from serai.translate.virtual_hosts import HostGroup, HostRoutes, virtual_host

MISDIRECTED = 421
_EVERYTHING = RequestMatch(PathMatch(PathKind.PREFIX, "/"))


class Table(NamedTuple):
    """A route configuration: of a port in the clear, or of one HTTPS listener."""

    gateway: Key
    port: int
    listener: ListenerKey | tuple[()] = ()

    @property
    def named(self) -> Named:
        """As Envoy knows it."""
        name = names.gateway_chain(self.listener, self.port) if self.listener else ""
        return Named(self.gateway, name or names.gateway_routes(self.gateway, self.port))


class HostKey(NamedTuple):
    """The hosts of a pattern in a route configuration."""

    table: Table
    pattern: str


class _Asking(NamedTuple):
    """A host that is in a route configuration: by a listener's own name, or by its routes'."""

    listener: ListenerKey
    pattern: str
    by_routes: bool


class GatewayHosts(msgspec.Struct, frozen=True):
    """What is answered for each host, and where that is written."""

    hosts: Node[HostKey, VirtualHost]
    of_table: Index[Table, HostKey]
    """The hosts of each table, sorted by their patterns."""
    attached: Node[HostKey, tuple[Key, ...]]
    """The routes that attach to a listener for just these hosts."""
    listeners: Index[Table, ListenerKey]
    """The listeners whose routes are in it."""
    parts: Node[Named, RouteConfiguration]
    """Each host as if it were a route configuration by itself: for whoever looks through all."""


def misdirection(origin: Origin) -> Route:
    """For hosts of another listener.  Gateway API: Listener.hostname; RFC 9110, 15.5.20."""
    return Route("misdirected", _EVERYTHING, DirectResponse(MISDIRECTED), origin)


def gateway_hosts(graph: Graph, attached: Attached) -> GatewayHosts:
    """A virtual host for each host of a listener and of the routes that attach to it."""
    tables = mapped(
        graph, "route configurations of listeners", attached.listeners, lambda _, *row: _table(*row)
    )
    by_routes: Index[tuple[ListenerKey, str], AttachmentKey] = Index(
        graph, "routes on listener by host", attached.attachments, _patterns
    )
    asking = _asking(graph, attached, tables, by_routes)
    look = _Look(graph, attached, by_routes)
    hosts = mapped(graph, "virtual hosts of gateways", asking, look.host)
    return GatewayHosts(
        hosts,
        Index(graph, "virtual hosts of routes", hosts, lambda key, _: (key.table,)),
        mapped(graph, "routes by virtual host", asking, look.routes),
        Index(graph, "listeners of route configuration", tables, lambda _, table: (table,)),
        Derived(graph, "parts of gateway routes", hosts, _part),
    )


def _table(key: ListenerKey, state: ListenerState) -> Table | None:
    match state.listener.protocol:
        case "HTTP" if state.served and state.role is Role.GATEWAY:
            return Table(state.gateway, state.listener.port)
        case "HTTPS" if state.served:
            return Table(state.gateway, state.listener.port, key)
        case _:
            return None


def _patterns(_: AttachmentKey, attachment: Attachment) -> Iterator[tuple[ListenerKey, str]]:
    for target in attachment.targets:
        if isinstance(target, ListenerTarget):
            yield from ((target.listener, each) for each in target.hostnames)


def _part(_: Reader, key: HostKey, row: VirtualHost) -> Iterator[tuple[Named, RouteConfiguration]]:
    proxy, name = key.table.named
    origin = Origin(proxy)
    yield Named(proxy, f"{name} {key.pattern}"), RouteConfiguration(name, (row,), origin)


def _asking(
    graph: Graph,
    attached: Attached,
    tables: Node[ListenerKey, Table],
    by_routes: Index[tuple[ListenerKey, str], AttachmentKey],
) -> Index[HostKey, _Asking]:
    def own(_: Reader, key: ListenerKey, state: ListenerState) -> Iterator[tuple[_Asking, HostKey]]:
        for host in _own_host(key, state):
            yield _Asking(key, host.pattern, by_routes=False), host

    def of_routes(
        reader: Reader, key: tuple[ListenerKey, str], _: Sequence[AttachmentKey]
    ) -> Iterator[tuple[_Asking, HostKey]]:
        table = reader.get(tables, key[0])
        if table is not None:
            yield _Asking(*key, by_routes=True), HostKey(table, key[1])

    asking: Union[_Asking, HostKey] = Union(
        graph,
        "hosts of gateways",
        (
            Derived(graph, "hosts of listeners", attached.listeners, own),
            Derived(graph, "hosts of routes on listeners", by_routes, of_routes),
        ),
    )
    return Index(graph, "who asks for a host", asking, lambda _, key: (key,))


class _Look:
    """Where a virtual host looks for whose it is and what is routed there."""

    def __init__(
        self,
        graph: Graph,
        attached: Attached,
        by_routes: Index[tuple[ListenerKey, str], AttachmentKey],
    ) -> None:
        self._attached = attached
        self._by_routes = by_routes
        self._answering: Index[HostKey, ListenerKey] = Index(
            graph, "listeners by host", attached.listeners, _own_host
        )

    def host(self, reader: Reader, key: HostKey, _: Sequence[_Asking]) -> VirtualHost | None:
        """What is answered for the hosts of a pattern.

        They belong to the listener whose hostname is nearest: Gateway API, listener isolation.
        """
        table = key.table
        owner = self._owner(reader, key)
        state = reader.get(self._attached.listeners, owner) if owner else None
        if owner is None or state is None:
            if not table.listener:
                return None
            elsewhere = (misdirection(Origin(table.listener.parent)),)
            return VirtualHost(key.pattern, (key.pattern,), elsewhere)
        leaves = tuple(_leaves(reader, self._attached, state))
        entries = tuple(self._entries(reader, owner, key.pattern))
        found = virtual_host(key.pattern, HostGroup(state.hostname, entries, leaves=leaves))
        scheme = "https" if table.listener else "http"
        (found,) = at_port((found,), table.port, scheme)
        return self._attached.policies.in_force(reader, found)

    def routes(
        self, reader: Reader, _: HostKey, asked: Sequence[_Asking]
    ) -> tuple[Key, ...] | None:
        """The routes that ask for the hosts of a pattern."""
        found = (
            attachment.route
            for each in asked
            if each.by_routes
            for attachment in reader.members(self._by_routes, (each.listener, each.pattern))
        )
        return tuple(dict.fromkeys(found)) or None

    def _owner(self, reader: Reader, key: HostKey) -> ListenerKey | None:
        """None: a listener with a connection of its own."""
        table = key.table
        for each in patterns(key.pattern):
            found = reader.members(self._answering, HostKey(table, each))
            if found:
                return found[0]
            hello = HelloKey(table.gateway, table.port, each)
            if table.listener and reader.members(self._attached.listening.of_hello, hello):
                return None
        return None

    def _entries(self, reader: Reader, owner: ListenerKey, pattern: str) -> Iterator[HostRoutes]:
        members = (reader.members(self._by_routes, (owner, each)) for each in patterns(pattern))
        for key in sorted({each for found in members for each in found}):
            attachment = reader.get(self._attached.attachments, key)
            compiled = reader.get(self._attached.compiled, key)
            for target in attachment.targets if attachment and compiled else ():
                if isinstance(target, ListenerTarget) and target.listener == owner and compiled:
                    yield HostRoutes(target.hostnames, compiled.routes)


def _own_host(key: ListenerKey, state: ListenerState) -> Iterator[HostKey]:
    table = _table(key, state)
    if table is not None:
        yield HostKey(table, state.hostname)


def _leaves(reader: Reader, attached: Attached, state: ListenerState) -> list[Leaf]:
    """Of the policies on a listener; those on a ListenerSet are for its own listeners only."""
    policies, (parent, name) = attached.policies, state.key
    if parent == state.gateway:
        return policies.of_listener(reader, parent, name)
    return [*policies.at(reader, parent, (name,)), *policies.of_gateway(reader, state.gateway)]
