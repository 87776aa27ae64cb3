"""backendRef to a host: of a ServiceEntry that is exported to the route, or a Service's own name.

Istio: ``group: networking.istio.io, kind: Hostname``.  Exporting an entry is its owner's consent;
a Kubernetes Service of another namespace needs a ReferenceGrant, as it does under its own kind.

A subset is named as Istio names it in SNI: ``outbound_.<port>_.<subset>_.<host>``.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from serai.api.networking import GROUP as ISTIO
from serai.backends.kind import (
    BackendKind,
    Invalid,
    Lookup,
    Reference,
    may_reach,
    not_permitted,
    on_port,
)
from serai.incremental import Reader
from serai.model.service import BackendKey, Service

_SUBSET = re.compile(r"outbound_\.(?P<port>\d+)_\.(?P<subset>[^_.]+)_\.(?P<host>.+)")


def _resolve(reader: Reader, lookup: Lookup, reference: Reference) -> BackendKey | Invalid:
    named = _SUBSET.fullmatch(reference.name)
    if named is None:
        return _host(reader, lookup, reference)
    if int(named["port"]) != reference.port:
        return Invalid(
            "InvalidDestination",
            f"{reference.name} is a subset of port {named['port']}, and port is {reference.port}",
        )
    found = _host(reader, lookup, replace(reference, name=named["host"]))
    if isinstance(found, Invalid):
        return found
    part = found.part(named["subset"])
    if reader.get(lookup.subsets, part) is None:
        return Invalid(
            "BackendNotFound", f"no DestinationRule for {found.host} has a subset {part.subset}"
        )
    return part


def _host(reader: Reader, lookup: Lookup, reference: Reference) -> BackendKey | Invalid:
    if reference.namespace is not None:
        return Invalid(
            "InvalidDestination",
            f"namespace may not be set with Hostname type; remove it from the reference to"
            f" {reference.name}",
        )
    host, namespace, port = reference.name.lower(), reference.source.namespace, reference.port or 0

    def reachable(owner: Service) -> bool:
        admitted = owner.admits(namespace)
        return may_reach(reader, lookup, reference, owner.key) if admitted is None else admitted

    owners = lookup.catalog.owners(reader, host, namespace, reachable)
    if owners.services:
        with_port = (each for each in owners.services if each.port(port))
        owner = next(with_port, owners.services[0])
        name = owners.pattern if owners.pattern in owner.hosts else owner.hosts[0]
        return on_port(owner, name, reference)
    if owners.hidden:
        return _hidden(reference, owners.hidden[0])
    return Invalid(
        "BackendNotFound", f"backend({host}) not found: no Service or ServiceEntry has this host"
    )


def _hidden(reference: Reference, owner: Service) -> Invalid:
    """Who has the host keeps it from the route's namespace."""
    if owner.rank == 0:
        return not_permitted(reference, owner.key)
    return Invalid(
        "RefNotPermitted",
        f"{owner.key} has host {reference.name} and does not export it to namespace"
        f" {reference.source.namespace}: its exportTo is {', '.join(owner.exported_to)}",
    )


HOSTNAME = BackendKind(group=ISTIO, kind="Hostname", resolve=_resolve)
