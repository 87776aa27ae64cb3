"""The listeners of our Gateways and their ListenerSets: which are usable, and which conflict.

Gateway API: Gateway.spec.listeners, ListenerSet.spec.listeners, ListenerStatus.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from serai.api.core import Namespace
from serai.api.gateway import GROUP, Listener, RouteGroupKind
from serai.api.listener_set import ListenerSet
from serai.api.meta import Key
from serai.attach.certificates import Certificates
from serai.attach.conflicts import added_to, within_gateway
from serai.attach.gateways import MESH_PROTOCOLS, Proxy, Role
from serai.attach.hostnames import ANY
from serai.attach.listener_sets import AddedListeners, added_listeners
from serai.attach.tls import ListenerTls, TlsState, ended_tls
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Derived, Graph, Index, Node, Reader
from serai.ir.origin import Value
from serai.model.hosts import patterns

ROUTE_KINDS = {
    "HTTP": ("HTTPRoute", "GRPCRoute"),
    "HTTPS": ("HTTPRoute", "GRPCRoute"),
    "TLS": ("TLSRoute",),
    "TCP": ("TCPRoute",),
    "UDP": ("UDPRoute",),
    **dict.fromkeys(sorted(MESH_PROTOCOLS), ("HTTPRoute", "GRPCRoute")),
}
"""The kinds of routes that can attach, by the listener's protocol."""
GATEWAY_PROTOCOLS = tuple(each for each in ROUTE_KINDS if each not in MESH_PROTOCOLS)


class ListenerKey(NamedTuple):
    """A listener, by what it is written in (a Gateway or a ListenerSet) and its name there."""

    parent: Key
    name: str


class HelloKey(NamedTuple):
    """The hosts that a hello names, as a pattern, at a port of a gateway."""

    gateway: Key
    port: int
    pattern: str


class ListenerState(Value, frozen=True):
    """A listener and what became of it."""

    key: ListenerKey
    gateway: Key
    """The Gateway whose proxy has it; of a Gateway's own listeners the same as the parent."""
    listener: Listener
    role: Role
    kinds: tuple[str, ...]
    """The kinds of routes that may attach."""
    accepted: Verdict
    resolved: Verdict
    conflict: str = ""
    """HostnameConflict or ProtocolConflict; empty if none."""
    tls: ListenerTls | None = None
    """None: it does not end TLS."""

    @property
    def usable(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.accepted.ok and self.resolved.ok

    @property
    def served(self) -> bool:
        """Whether it is there: one certificate of several is enough for that."""
        return self.accepted.ok and (self.tls is None or bool(self.tls.certificates))

    @property
    def told_by_sni(self) -> bool:
        """Whether its connections are told from others on the port by the host they name."""
        return self.listener.protocol in {"HTTPS", "TLS"}

    @property
    def hostname(self) -> str:
        """The hosts that it is for, as a pattern in small letters."""
        return (self.listener.hostname or ANY).lower()


class Listening(msgspec.Struct, frozen=True):
    """The listeners of our Gateways, and who adds some."""

    states: Node[ListenerKey, ListenerState]
    of_proxy: Index[Key, ListenerKey]
    """The listeners of each Gateway's proxy, those of ListenerSets among them."""
    added: Node[Key, AddedListeners]
    """ListenerSets of Gateways of ours."""
    sets_of: Index[Key, Key]
    """The ListenerSets of each Gateway."""
    of_hello: Index[HelloKey, ListenerKey]
    """The listeners whose own hosts they are; one out of conflict has none."""

    def named_by_hello(self, reader: Reader, key: HelloKey) -> Sequence[ListenerKey]:
        """The listener that is nearest to the hosts of a pattern.

        Gateway API: Listener.hostname, which tells listeners apart whatever routes ask for.
        """
        found = (
            reader.members(self.of_hello, key._replace(pattern=each))
            for each in patterns(key.pattern)
        )
        return next((each for each in found if each), ())


def listening(
    graph: Graph,
    proxies: Node[Key, Proxy],
    sets: Node[Key, ListenerSet],
    namespaces: Node[Key, Namespace],
    certificates: Certificates,
) -> Listening:
    """Every listener of every Gateway of ours."""
    added = added_listeners(graph, sets, proxies, namespaces)
    sets_of: Index[Key, Key] = Index(
        graph, "listener sets of gateway", added, lambda _, row: (row.gateway,)
    )
    states = listeners(graph, proxies, added, sets_of, certificates)
    of_proxy: Index[Key, ListenerKey] = Index(
        graph, "listeners of proxy", states, lambda _, row: (row.gateway,)
    )
    of_hello: Index[HelloKey, ListenerKey] = Index(graph, "listeners by hello", states, _of_hello)
    return Listening(states, of_proxy, added, sets_of, of_hello)


def _of_hello(_: ListenerKey, state: ListenerState) -> Iterator[HelloKey]:
    if state.told_by_sni and not state.conflict:
        yield HelloKey(state.gateway, state.listener.port, state.hostname)


def listeners(
    graph: Graph,
    proxies: Node[Key, Proxy],
    sets: Node[Key, AddedListeners],
    sets_of: Index[Key, Key],
    certificates: Certificates,
) -> Derived[ListenerKey, ListenerState]:
    """Every listener of every Gateway of ours, also those that ListenerSets add.

    Listeners of ListenerSets that are not allowed have no row.
    """

    def rows(reader: Reader, key: Key, proxy: Proxy) -> Iterator[tuple[ListenerKey, ListenerState]]:
        own = within_gateway(proxy.listeners)
        for listener, conflict in zip(proxy.listeners, own, strict=True):
            name = ListenerKey(key, listener.name)
            tls = ended_tls(reader, certificates, key, listener, proxy)
            yield name, _state(name, listener, proxy, conflict, tls)
        found = [row for _, row in reader.rows(sets_of, key, sets) if row.allowed.ok]
        ranked = sorted(found, key=lambda each: each.precedence)
        added = [(each.key, listener) for each in ranked for listener in each.listeners]
        lost = added_to(proxy.listeners, [listener for _, listener in added])
        for (parent, listener), conflict in zip(added, lost, strict=True):
            name = ListenerKey(parent, listener.name)
            tls = ended_tls(reader, certificates, parent, listener, proxy)
            yield name, _state(name, listener, proxy, conflict, tls)

    return Derived(graph, "listeners", proxies, rows)


def _state(
    key: ListenerKey, listener: Listener, proxy: Proxy, conflict: str, tls: TlsState
) -> ListenerState:
    kinds, resolved = _kinds(listener)
    if conflict:
        words = "another listener of this Gateway has the same port and host"
        if key.parent != proxy.key:
            words = f"{words}, and comes before this one"
        accepted = refused(conflict, words)
    else:
        accepted = _supported(listener, proxy)
    accepted = accepted if not accepted.ok else tls.accepted
    resolved = resolved if not resolved.ok else tls.resolved
    return ListenerState(
        key=key,
        gateway=proxy.key,
        listener=listener,
        role=proxy.role,
        kinds=kinds,
        accepted=accepted,
        resolved=resolved,
        conflict=conflict,
        tls=tls.tls,
    )


def _supported(listener: Listener, proxy: Proxy) -> Verdict:
    if (listener.protocol in MESH_PROTOCOLS) != (proxy.role is Role.WAYPOINT):
        wanted = "istio.io/PROXY or HBONE" if proxy.role is Role.WAYPOINT else "HTTP"
        return refused(
            "UnsupportedProtocol",
            f"a {proxy.role} has no {listener.protocol} listeners; use protocol {wanted}",
        )
    if listener.protocol not in ROUTE_KINDS:
        return refused(
            "UnsupportedProtocol",
            f"there is no protocol {listener.protocol}; use one of {', '.join(GATEWAY_PROTOCOLS)}",
        )
    return ACCEPTED


def _kinds(listener: Listener) -> tuple[tuple[str, ...], Verdict]:
    possible = ROUTE_KINDS.get(listener.protocol, ())
    asked = listener.allowed_routes.kinds
    if not asked:
        return possible, ACCEPTED
    wanted = tuple(dict.fromkeys(each.kind for each in asked if _is_route(each, possible)))
    wrong = [f"{each.group}/{each.kind}" for each in asked if not _is_route(each, possible)]
    if wrong:
        message = f"{', '.join(wrong)} cannot attach to a listener of protocol {listener.protocol}"
        return wanted, refused("InvalidRouteKinds", message)
    return wanted, ACCEPTED


def _is_route(kind: RouteGroupKind, possible: tuple[str, ...]) -> bool:
    return kind.group == GROUP and kind.kind in possible
