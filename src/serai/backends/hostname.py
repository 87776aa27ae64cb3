"""backendRef to a host: of a ServiceEntry that is exported to the route, or a Service's own name.

Istio: ``group: networking.istio.io, kind: Hostname``.  Exporting an entry is its owner's consent;
a Kubernetes Service of another namespace needs a ReferenceGrant, as it does under its own kind.
"""

from __future__ import annotations

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
from serai.model.service import BackendKey


def _resolve(reader: Reader, lookup: Lookup, reference: Reference) -> BackendKey | Invalid:
    if reference.namespace is not None:
        return Invalid(
            "InvalidDestination",
            f"namespace may not be set with kind Hostname (host {reference.name}); remove it",
        )
    host = reference.name.lower()
    namespace = reference.source.namespace
    owners = lookup.catalog.host_owners(reader, host, namespace)
    for owner in owners:
        if owner.visible_from(namespace) or may_reach(reader, lookup, reference, owner.key):
            name = host if host in owner.hosts else owner.hosts[0]
            return on_port(owner, name, reference.port or 0)
    if owners:
        return not_permitted(reference, owners[0].key)
    return Invalid("BackendNotFound", f"no Service or ServiceEntry has host {host}")


HOSTNAME = BackendKind(group=ISTIO, kind="Hostname", resolve=_resolve)
