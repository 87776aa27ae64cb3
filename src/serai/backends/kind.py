"""What a kind of backend is: a name, and how a reference to it is resolved."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from serai.api.meta import Key
from serai.attach.grants import Grants
from serai.incremental import Node, Reader
from serai.ir.origin import Value
from serai.model.catalog import Catalog
from serai.model.protocol import Protocol
from serai.model.service import Backend, BackendKey, Service


class Reference(Value, frozen=True):
    """A backendRef, and who makes it."""

    source: Key
    group: str
    kind: str
    name: str
    namespace: str | None
    port: int | None
    trusted_namespace: str = ""
    """A namespace that the reference may reach without a grant, as mesh routes may their parent's.

    Gateway API: GEP-1294.
    """


class Invalid(Value, frozen=True):
    """Why a reference cannot be used: the reason of ResolvedRefs, and a sentence."""

    reason: str
    message: str


class Lookup(msgspec.Struct, frozen=True):
    """Where references are looked up."""

    catalog: Catalog
    grants: Grants
    subsets: Node[BackendKey, Backend]
    """Those that DestinationRules have."""


class BackendKind(Value, frozen=True):
    """A kind of object that a route can send to."""

    group: str
    kind: str
    resolve: Callable[[Reader, Lookup, Reference], BackendKey | Invalid]
    needs_port: bool = True


def resolve_object(reader: Reader, lookup: Lookup, reference: Reference) -> BackendKey | Invalid:
    """Resolve a reference to an object by its name; it means the object's first host."""
    namespace = reference.namespace or reference.source.namespace
    target = Key(reference.kind, namespace, reference.name)
    if not may_reach(reader, lookup, reference, target):
        return not_permitted(reference, target)
    service = reader.get(lookup.catalog.services, target)
    if service is None:
        return Invalid("BackendNotFound", f"{target} does not exist")
    return on_port(service, service.hosts[0], reference)


def may_reach(reader: Reader, lookup: Lookup, reference: Reference, target: Key) -> bool:
    """Whether a reference may cross into its target's namespace."""
    trusted = target.namespace == reference.trusted_namespace
    return trusted or lookup.grants.permits(reader, reference.source, target)


def not_permitted(reference: Reference, target: Key) -> Invalid:
    """The refusal, and the object that would lift it."""
    return Invalid(
        "RefNotPermitted",
        f"{target} is in another namespace and no ReferenceGrant there permits"
        f" {reference.source.kind} of {reference.source.namespace} to refer to it",
    )


def on_port(service: Service, host: str, reference: Reference) -> BackendKey | Invalid:
    """The port of a host of a service that a reference means: that for what it sends.

    Gateway API: GEP-1911, multiple protocols on the same port.
    """
    number, udp = reference.port or 0, reference.source.kind == "UDPRoute"
    port = service.udp_port(number) if udp else service.port(number)
    if port is not None and (port.protocol is Protocol.UDP) == udp:
        return service.backend(host, port)
    return _no_port(service, number, "datagrams" if udp else "connections")


def _no_port(service: Service, port: int, sent: str) -> Invalid:
    if service.port(port) is not None:
        message = f"port {port} of {service.key} takes no {sent}, which is what is sent"
        return Invalid("UnsupportedProtocol", message)
    ports = ", ".join(str(each.number) for each in service.ports) or "none"
    return Invalid("BackendNotFound", f"{service.key} has no port {port}; it has: {ports}")
