"""ListenerSets: which Gateway each belongs to, and whether that Gateway allows it.

Gateway API: ListenerSet, Gateway.spec.allowedListeners.
"""

from __future__ import annotations

from typing import NamedTuple

from serai.api.core import Namespace
from serai.api.gateway import GROUP, Listener
from serai.api.listener_set import ListenerSet
from serai.api.meta import Key
from serai.attach.gateways import Proxy, Role
from serai.attach.selectors import admits
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.ir.origin import Value


class Precedence(NamedTuple):
    """Sorts ListenerSets: the oldest first, then by namespace and name."""

    created: str
    namespace: str
    name: str


class AddedListeners(Value, frozen=True):
    """A ListenerSet whose parent is a Gateway of ours."""

    key: Key
    gateway: Key
    allowed: Verdict
    listeners: tuple[Listener, ...]
    precedence: Precedence


def added_listeners(
    graph: Graph,
    sets: Node[Key, ListenerSet],
    proxies: Node[Key, Proxy],
    namespaces: Node[Key, Namespace],
) -> Derived[Key, AddedListeners]:
    """Every ListenerSet that names a Gateway of ours, by key."""

    def added(reader: Reader, key: Key, row: ListenerSet) -> AddedListeners | None:
        parent = row.spec.parent_ref
        if (parent.group, parent.kind) != (GROUP, "Gateway"):
            return None
        gateway = Key("Gateway", parent.namespace or key.namespace, parent.name)
        proxy = reader.get(proxies, gateway)
        if proxy is None:
            return None
        created = row.metadata.creation_timestamp or "9999"
        return AddedListeners(
            key=key,
            gateway=gateway,
            allowed=_allowed(reader, namespaces, key, proxy),
            listeners=row.spec.listeners,
            precedence=Precedence(created, key.namespace, key.name),
        )

    return mapped(graph, "added listeners", sets, added)


def _allowed(reader: Reader, namespaces: Node[Key, Namespace], key: Key, proxy: Proxy) -> Verdict:
    if proxy.role is Role.WAYPOINT:
        return refused("NotAllowed", f"Gateway {proxy.name} is a waypoint, which has no such")
    rule = proxy.allowed_listeners.namespaces
    if admits(reader, namespaces, rule, proxy.key.namespace, key.namespace):
        return ACCEPTED
    message = (
        f"Gateway {proxy.name} allows no ListenerSet from namespace {key.namespace};"
        f" its spec.allowedListeners.namespaces.from is {rule.from_}"
    )
    return refused("NotAllowed", message)
