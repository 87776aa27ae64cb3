"""The listeners of our Gateways: which are usable, and which conflict.

Gateway API: Gateway.spec.listeners, ListenerStatus.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from serai.api.gateway import GROUP, Listener, RouteGroupKind
from serai.api.meta import Key
from serai.attach.gateways import MESH_PROTOCOLS, Proxy, Role
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Derived, Graph, Node, Reader
from serai.ir.origin import Value

ROUTE_KINDS = {"HTTP": ("HTTPRoute",), **dict.fromkeys(MESH_PROTOCOLS, ("HTTPRoute",))}
"""The kinds of routes that can attach, by the listener's protocol."""


class ListenerKey(NamedTuple):
    """A listener of a Gateway, by its name there."""

    gateway: Key
    name: str


class ListenerState(Value, frozen=True):
    """A listener and what became of it."""

    key: ListenerKey
    listener: Listener
    role: Role
    kinds: tuple[str, ...]
    """The kinds of routes that may attach."""
    accepted: Verdict
    resolved: Verdict
    conflict: str = ""
    """HostnameConflict or ProtocolConflict; empty if none."""

    @property
    def usable(self) -> bool:
        """Whether it can be programmed."""
        return self.accepted.ok and self.resolved.ok


def listeners(graph: Graph, proxies: Node[Key, Proxy]) -> Derived[ListenerKey, ListenerState]:
    """Every listener of every Gateway of ours."""

    def rows(_: Reader, key: Key, proxy: Proxy) -> Iterator[tuple[ListenerKey, ListenerState]]:
        for listener in proxy.listeners:
            name = ListenerKey(key, listener.name)
            yield name, _state(name, listener, proxy)

    return Derived(graph, "listeners", proxies, rows)


def _state(key: ListenerKey, listener: Listener, proxy: Proxy) -> ListenerState:
    conflict = _conflict(listener, proxy)
    kinds, resolved = _kinds(listener)
    if conflict:
        accepted = refused(conflict, "another listener of this Gateway has the same port and host")
    else:
        accepted = _supported(listener, proxy)
    return ListenerState(key, listener, proxy.role, kinds, accepted, resolved, conflict)


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
            f"protocol {listener.protocol} is not implemented yet; HTTP is",
        )
    return ACCEPTED


def _conflict(listener: Listener, proxy: Proxy) -> str:
    """No winner is picked: all that conflict are out."""
    for other in proxy.listeners:
        if other is listener or other.port != listener.port:
            continue
        if other.protocol != listener.protocol:
            return "ProtocolConflict"
        if (other.hostname or "") == (listener.hostname or ""):
            return "HostnameConflict"
    return ""


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
