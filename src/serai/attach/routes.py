"""What each parentRef of a route attaches it to, or why to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from serai.api.core import Namespace
from serai.api.gateway import GROUP, Listener, ParentReference
from serai.api.meta import Key
from serai.api.networking import GROUP as ISTIO
from serai.api.routes import REQUESTS, Route, hostnames_of
from serai.attach.capture import Capture
from serai.attach.gateways import Proxy, Role
from serai.attach.grants import Grants
from serai.attach.hostnames import ANY, intersection
from serai.attach.listener_sets import AddedListeners
from serai.attach.listeners import ListenerKey, ListenerState, Listening
from serai.attach.selectors import admits
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Derived, Graph, Index, Node, Reader
from serai.ir.origin import Value
from serai.model.catalog import Catalog, HostOwners
from serai.model.protocol import Protocol
from serai.model.service import Service, ServicePort


class AttachmentKey(NamedTuple):
    """One parentRef of a route."""

    route: Key
    position: int


class ListenerTarget(Value, frozen=True):
    """A gateway's listener that the route attaches to, and the hosts it answers for there."""

    listener: ListenerKey
    hostnames: tuple[str, ...]


class WaypointTarget(Value, frozen=True):
    """Everything that a waypoint captures."""

    waypoint: Key
    hostnames: tuple[str, ...]


class ServiceTarget(Value, frozen=True):
    """A captured service: all of it, or one host or port of it."""

    service: Key
    host: str = ""
    port: int = 0
    clients: str = ""
    """A consumer route is for the clients of this namespace only.  Gateway API: GEP-1294."""
    hostname: str = ANY
    """Of those that a host with a wildcard covers: this one only."""


Target = ListenerTarget | WaypointTarget | ServiceTarget


class Attachment(Value, frozen=True):
    """What one parentRef came to."""

    parent: ParentReference
    verdict: Verdict
    targets: tuple[Target, ...] = ()
    namespace: str = ""
    """The namespace of the service that is meant, attached or not: mesh routes may send there."""


class Parents(msgspec.Struct, frozen=True):
    """The collections that parents are looked up in."""

    catalog: Catalog
    namespaces: Node[Key, Namespace]
    proxies: Node[Key, Proxy]
    listening: Listening
    captures: Node[Key, Capture]
    grants: Grants


def attachments(
    graph: Graph, routes: Node[Key, Route], parents: Parents
) -> Derived[AttachmentKey, Attachment]:
    """What every parentRef comes to by itself; of other controllers' Gateways there is no row.

    A route that asks for the default gateways has a parentRef for each, behind those it wrote.
    """
    defaults: Index[str, Key] = Index(
        graph,
        "default gateways",
        parents.proxies,
        lambda _, proxy: (_DEFAULT,) if proxy.is_default else (),
    )

    def rows(reader: Reader, key: Key, route: Route) -> Iterator[tuple[AttachmentKey, Attachment]]:
        implied = _implied(reader, defaults, key, route)
        for index, parent in enumerate((*route.spec.parent_refs, *implied)):
            attachment = _attach(reader, parents, key, route, parent)
            if attachment is not None:
                yield AttachmentKey(key, index), attachment

    return Derived(graph, "wanted attachments", routes, rows)


_DEFAULT = "All"


def _implied(
    reader: Reader, defaults: Index[str, Key], key: Key, route: Route
) -> Iterator[ParentReference]:
    """The default gateways that a route asks for and does not name as a whole itself.

    Gateway API: useDefaultGateways (GEP-3793).
    """
    if route.spec.use_default_gateways != _DEFAULT:
        return
    named = {
        Key(each.kind, each.namespace or key.namespace, each.name)
        for each in route.spec.parent_refs
        if each.group == GROUP and each.section_name is None and each.port is None
    }
    for gateway in sorted(reader.members(defaults, _DEFAULT)):
        if gateway not in named:
            yield ParentReference(gateway.name, namespace=gateway.namespace)


def _attach(
    reader: Reader, parents: Parents, key: Key, route: Route, parent: ParentReference
) -> Attachment | None:
    namespace = parent.namespace or key.namespace
    match parent.group, parent.kind:
        case (group, "Gateway") if group == GROUP:
            gateway = Key("Gateway", namespace, parent.name)
            proxy = reader.get(parents.proxies, gateway)
            if proxy is None:
                return None
            return _to_gateway(reader, parents, key, route, parent, proxy)
        case (group, "ListenerSet") if group == GROUP:
            added = reader.get(parents.listening.added, Key("ListenerSet", namespace, parent.name))
            return _to_listener_set(reader, parents, key, route, parent, added) if added else None
        case ("", "Service") | ("core", "Service"):
            target = Key("Service", namespace, parent.name)
        case (group, "ServiceEntry") if group == ISTIO:
            target = Key("ServiceEntry", namespace, parent.name)
        case (group, "Hostname") if group == ISTIO:
            return _to_host(reader, parents, key, parent)
        case _:
            return None
    service = reader.get(parents.catalog.services, target)
    if service is None:
        return Attachment(parent, refused("NoMatchingParent", f"{target} does not exist"))
    return _to_service(reader, parents, key, parent, service, host="")


def _to_host(reader: Reader, parents: Parents, key: Key, parent: ParentReference) -> Attachment:
    host = parent.name.lower()
    if parent.namespace is not None:
        message = f"namespace may not be set with Hostname type; remove it from that of {host}"
        return Attachment(parent, refused("NoMatchingParent", message))

    def reachable(owner: Service) -> bool:
        admitted = owner.admits(key.namespace)
        return parents.grants.permits(reader, key, owner.key) if admitted is None else admitted

    owners = parents.catalog.owners(reader, host, key.namespace, reachable)
    if owners.services:
        return _to_owners(reader, parents, key, parent, owners)
    if owners.hidden:
        message = f"{owners.hidden[0].key} has host {host}, but is not exported to {key.namespace}"
        return Attachment(parent, refused("NotAllowedByListeners", message))
    message = f"no Service or ServiceEntry has host {host}"
    return Attachment(parent, refused("NoMatchingParent", message))


def _to_owners(
    reader: Reader, parents: Parents, key: Key, parent: ParentReference, owners: HostOwners
) -> Attachment:
    """To every object that has the host, where several merge; one that takes it is enough."""
    found: list[Attachment] = []
    for owner in owners.services:
        name = owners.pattern if owners.pattern in owner.hosts else owner.hosts[0]
        found.append(_to_service(reader, parents, key, parent, owner, host=name))
    accepted = [each for each in found if each.verdict.ok]
    narrowed = parent.name.lower() if owners.pattern.startswith(ANY) else ANY
    hostname = ANY if narrowed == owners.pattern else narrowed
    targets = tuple(
        replace(target, hostname=hostname)
        for each in accepted
        for target in each.targets
        if isinstance(target, ServiceTarget)
    )
    return replace((accepted or found)[0], targets=targets)


def _to_service(
    reader: Reader,
    parents: Parents,
    key: Key,
    parent: ParentReference,
    service: Service,
    *,
    host: str,
) -> Attachment:
    home = service.key.namespace
    capture = reader.get(parents.captures, service.key)
    waypoint = capture.bound_to if capture else None
    if capture is None or waypoint is None:
        why = capture.verdict.message if capture else ""
        message = f"{service.key} is not captured by a waypoint: {why}"
        return Attachment(parent, refused("NoMatchingParent", message), namespace=home)
    asked = [
        port
        for port in service.ports
        if parent.port in {None, port.number} and parent.section_name in {None, port.name}
    ]
    ports = [port.number for port in asked if takes(key.kind, port.protocol)]
    if not ports:
        message = f"{service.key} has no port {_lacking(key.kind, parent, asked)}"
        return Attachment(parent, refused("NoMatchingParent", message), namespace=home)
    everywhere = parent.port is None and parent.section_name is None
    own = key.namespace in {home, waypoint.namespace}
    clients = "" if own or parents.grants.permits(reader, key, service.key) else key.namespace
    if clients and key.kind not in REQUESTS:
        message = (
            f"{key.kind} of namespace {clients} would take the connections of all clients of"
            f" {service.key}: who calls is told apart request by request only. Put it into"
            f" namespace {home}, or grant it there"
        )
        return Attachment(parent, refused("NotAllowedByListeners", message))
    targets = tuple(
        ServiceTarget(service.key, host, port, clients) for port in ([0] if everywhere else ports)
    )
    return Attachment(parent, ACCEPTED, targets, home)


def _lacking(kind: str, parent: ParentReference, asked: list[ServicePort]) -> str:
    """Which port a service would have to have for a kind of route."""
    if not asked:
        return _asked(parent)
    spoken = ", ".join(f"{port.number} speaks {port.protocol}" for port in asked)
    return f"for {_A[kind]} there: {spoken}"


_A = {
    "HTTPRoute": "HTTP",
    "GRPCRoute": "gRPC",
    "TLSRoute": "TLS",
    "TCPRoute": "TCP",
    "UDPRoute": "UDP, which waypoints do not capture",
}


def takes(kind: str, protocol: Protocol) -> bool:
    """Whether a kind of route can attach to a service's port of a protocol."""
    match kind:
        case "HTTPRoute" | "GRPCRoute":
            return protocol.may_be_http
        case "TLSRoute":
            return protocol.is_tls
        case "TCPRoute":
            return not protocol.is_http and protocol is not Protocol.UDP
        case _:
            return False


def _to_gateway(
    reader: Reader,
    parents: Parents,
    key: Key,
    route: Route,
    parent: ParentReference,
    proxy: Proxy,
) -> Attachment:
    if proxy.role is Role.WAYPOINT and not proxy.listeners and parent.section_name is None:
        return _to_waypoint(key, route, parent, proxy)
    attached = _to_listeners(reader, parents, key, route, parent, proxy.key, proxy.listeners)
    if proxy.role is Role.WAYPOINT and attached.verdict.reason in _ADMITTED:
        return _to_waypoint(key, route, parent, proxy)
    return attached


def _to_listener_set(
    reader: Reader,
    parents: Parents,
    key: Key,
    route: Route,
    parent: ParentReference,
    added: AddedListeners,
) -> Attachment:
    if not added.allowed.ok:
        return Attachment(parent, refused("NotAllowedByListeners", added.allowed.message))
    return _to_listeners(reader, parents, key, route, parent, added.key, added.listeners)


_ADMITTED = {"Accepted", "NoMatchingListenerHostname"}


def _to_listeners(
    reader: Reader,
    parents: Parents,
    key: Key,
    route: Route,
    parent: ParentReference,
    owner: Key,
    listeners: tuple[Listener, ...],
) -> Attachment:
    """To those listeners of a Gateway or ListenerSet that the parentRef means."""
    candidates = [
        state
        for listener in listeners
        if parent.section_name in {None, listener.name}
        and parent.port in {None, listener.port}
        and (state := reader.get(parents.listening.states, ListenerKey(owner, listener.name)))
    ]
    if not candidates:
        message = f"{owner} has no listener {_asked(parent)}"
        return Attachment(parent, refused("NoMatchingParent", message))
    allowed = [each for each in candidates if _admitted(reader, parents, key, each)]
    if not allowed:
        message = (
            f"no listener of {owner} admits {key.kind} from namespace {key.namespace};"
            " see its allowedRoutes"
        )
        return Attachment(parent, refused("NotAllowedByListeners", message))
    targets = tuple(target for each in allowed if (target := _on_listener(route, each)))
    if not targets:
        message = f"none of the route's hostnames is one of a listener of {owner}"
        return Attachment(parent, refused("NoMatchingListenerHostname", message))
    return Attachment(parent, ACCEPTED, targets)


def _to_waypoint(key: Key, route: Route, parent: ParentReference, proxy: Proxy) -> Attachment:
    if key.kind not in REQUESTS:
        message = f"{key.kind} attaches to a service, not to waypoint {proxy.name} as a whole"
        return Attachment(parent, refused("NotAllowedByListeners", message))
    if not proxy.listeners and key.namespace != proxy.key.namespace:
        message = f"Gateway {proxy.name} has no listener whose allowedRoutes admits {key.namespace}"
        return Attachment(parent, refused("NotAllowedByListeners", message))
    target = WaypointTarget(proxy.key, hostnames_of(route) or (ANY,))
    return Attachment(parent, ACCEPTED, (target,))


def _admitted(reader: Reader, parents: Parents, key: Key, state: ListenerState) -> bool:
    rule = state.listener.allowed_routes.namespaces
    own = state.key.parent.namespace
    return key.kind in state.kinds and admits(reader, parents.namespaces, rule, own, key.namespace)


def _on_listener(route: Route, state: ListenerState) -> ListenerTarget | None:
    own = state.hostname
    wanted = hostnames_of(route) or (ANY,)
    shared = (intersection(own, each) for each in wanted)
    hostnames = tuple(dict.fromkeys(each for each in shared if each))
    return ListenerTarget(state.key, hostnames) if hostnames else None


def _asked(parent: ParentReference) -> str:
    parts = [parent.section_name or "", str(parent.port or "")]
    return " ".join(part for part in parts if part) or "at all"
