"""Routes of several kinds that are after the same requests: which of them are attached.

On a listener, HTTPRoutes and GRPCRoutes are never merged where their hostnames meet: the older
object has them.  On a port of a service one kind has everything, in the order of ROUTE_KINDS.

Gateway API: GRPCRoute.spec.hostnames, GEP-1426.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from serai.api.meta import Key
from serai.api.routes import REQUESTS, ROUTE_KINDS, Route
from serai.attach.hostnames import intersection
from serai.attach.listeners import ListenerKey
from serai.attach.routes import (
    Attachment,
    AttachmentKey,
    ListenerTarget,
    ServiceTarget,
    Target,
    takes,
)
from serai.attach.verdict import refused
from serai.incremental import Derived, Graph, Index, Node, Reader, mapped
from serai.ir.origin import Value
from serai.model.protocol import Protocol
from serai.model.service import Service

_RANK = {kind: rank for rank, kind in enumerate(ROUTE_KINDS)}


class _Lost(Value, frozen=True):
    """The attachments that lost somewhere, each with who won."""

    to: tuple[tuple[AttachmentKey, Key], ...]


def settled(
    graph: Graph,
    wanted: Node[AttachmentKey, Attachment],
    routes: Node[Key, Route],
    services: Node[Key, Service],
) -> Derived[AttachmentKey, Attachment]:
    """Attachments without those targets that a route of another kind has."""
    lost = _lost_on_listeners(graph, wanted, routes)
    kinds = _kinds_on_services(graph, wanted, services)

    def left(reader: Reader, key: AttachmentKey, target: Target) -> tuple[tuple[Target, ...], str]:
        match target:
            case ListenerTarget(listener):
                losers = reader.get(lost, listener)
                by = next((who for each, who in losers.to if each == key), None) if losers else None
                return ((), f"{by} is older and has its hostnames") if by else ((target,), "")
            case ServiceTarget(service):
                found = reader.get(kinds, service)
                return found.left(key.route.kind, target) if found else ((target,), "")
            case _:
                return (target,), ""

    def settle(reader: Reader, key: AttachmentKey, attachment: Attachment) -> Attachment:
        each = [left(reader, key, target) for target in attachment.targets]
        whys = [why for _, why in each if why]
        if not whys:
            return attachment
        kept = tuple(target for targets, _ in each for target in targets)
        if kept:
            return replace(attachment, targets=kept)
        verdict = refused("Conflicted", f"{key.route} has lost all that it is after: {whys[0]}")
        return replace(attachment, verdict=verdict, targets=())

    return mapped(graph, "attachments", wanted, settle)


def _lost_on_listeners(
    graph: Graph, wanted: Node[AttachmentKey, Attachment], routes: Node[Key, Route]
) -> Derived[ListenerKey, _Lost]:
    # Only where there are GRPCRoutes is anything compared.
    unusual: Index[ListenerKey, AttachmentKey] = Index(
        graph, "GRPCRoutes after listener", wanted, _grpc_listeners
    )
    everybody: Index[ListenerKey, AttachmentKey] = Index(
        graph, "routes after listener", wanted, _listeners
    )

    def lost(reader: Reader, key: ListenerKey, _: Sequence[AttachmentKey]) -> _Lost | None:
        rows = reader.rows(everybody, key, wanted)
        found = tuple(_younger(key, sorted(rows, key=lambda row: _age(reader, routes, row[0]))))
        return _Lost(found) if found else None

    return mapped(graph, "lost on listener", unusual, lost)


def _kinds_on_services(
    graph: Graph, wanted: Node[AttachmentKey, Attachment], services: Node[Key, Service]
) -> Derived[Key, Kinds]:
    # Likewise, only where there are other routes than HTTPRoutes.
    unusual: Index[Key, AttachmentKey] = Index(
        graph, "unusual routes after service", wanted, _unusual_services
    )
    everybody: Index[Key, AttachmentKey] = Index(graph, "routes after service", wanted, _services)

    def kinds(reader: Reader, key: Key, _: Sequence[AttachmentKey]) -> Kinds | None:
        service = reader.get(services, key)
        if service is None:
            return None
        found = {
            (each.route.kind, target.host, target.port)
            for each, attachment in reader.rows(everybody, key, wanted)
            for target in attachment.targets
            if isinstance(target, ServiceTarget) and target.service == key
        }
        ports = tuple((port.number, port.protocol) for port in service.ports)
        return Kinds(tuple(sorted(found)), ports)

    return mapped(graph, "kinds on service", unusual, kinds)


class Kinds(Value, frozen=True):
    """Which kinds of routes are after which hosts and ports of a service."""

    found: tuple[tuple[str, str, int], ...]
    ports: tuple[tuple[int, Protocol], ...]

    def left(self, kind: str, target: ServiceTarget) -> tuple[tuple[ServiceTarget, ...], str]:
        """What remains for a kind of route of what it is after, and in words what does not."""
        mine = [
            number
            for number, protocol in self.ports
            if takes(kind, protocol) and target.port in {0, number}
        ]
        above = {number: self._above(kind, target.host, number) for number in mine}
        lost = [number for number in mine if above[number]]
        if not lost:
            return (target,), ""
        why = f"port {lost[0]} is a {above[lost[0]]}'s"
        return tuple(replace(target, port=number) for number in mine if not above[number]), why

    def _above(self, kind: str, host: str, number: int) -> str:
        protocol = dict(self.ports)[number]
        others = sorted(
            (
                each
                for each, where, port in self.found
                if port in {0, number} and takes(each, protocol) and (host == where or not where)
            ),
            key=_RANK.__getitem__,
        )
        return others[0] if others and _RANK[others[0]] < _RANK[kind] else ""


def _younger(
    listener: ListenerKey, oldest_first: list[tuple[AttachmentKey, Attachment]]
) -> Iterator[tuple[AttachmentKey, Key]]:
    """Those that an older route of the other kind leaves nothing to."""
    held: list[tuple[Key, tuple[str, ...]]] = []
    for key, attachment in oldest_first:
        hostnames = tuple(
            hostname
            for target in attachment.targets
            if isinstance(target, ListenerTarget) and target.listener == listener
            for hostname in target.hostnames
        )
        by = next((who for who, theirs in held if _meet(key.route, hostnames, who, theirs)), None)
        if by is not None:
            yield key, by
        else:
            held.append((key.route, hostnames))


def _meet(one: Key, hostnames: tuple[str, ...], other: Key, theirs: tuple[str, ...]) -> bool:
    return one.kind != other.kind and any(
        intersection(mine, each) is not None for mine in hostnames for each in theirs
    )


def _age(reader: Reader, routes: Node[Key, Route], key: AttachmentKey) -> tuple[str, str, str, int]:
    route = reader.get(routes, key.route)
    created = (route.metadata.creation_timestamp or "") if route else ""
    return (created or "9999", key.route.namespace, key.route.name, key.position)


def _listeners(key: AttachmentKey, attachment: Attachment) -> Iterator[ListenerKey]:
    if key.route.kind in REQUESTS:
        yield from {
            target.listener for target in attachment.targets if isinstance(target, ListenerTarget)
        }


def _grpc_listeners(key: AttachmentKey, attachment: Attachment) -> Iterator[ListenerKey]:
    return _listeners(key, attachment) if key.route.kind == "GRPCRoute" else iter(())


def _services(_: AttachmentKey, attachment: Attachment) -> Iterator[Key]:
    yield from {
        target.service for target in attachment.targets if isinstance(target, ServiceTarget)
    }


def _unusual_services(key: AttachmentKey, attachment: Attachment) -> Iterator[Key]:
    return _services(key, attachment) if key.route.kind != "HTTPRoute" else iter(())
