"""backendRef to a Kubernetes Service."""

from __future__ import annotations

from serai.backends.kind import BackendKind, Invalid, Lookup, Reference, resolve_object
from serai.incremental import Reader
from serai.model.service import BackendKey


def _resolve(reader: Reader, lookup: Lookup, reference: Reference) -> BackendKey | Invalid:
    if "." in reference.name:
        return Invalid(
            "InvalidDestination",
            f"service name invalid; the name of the Service must be used, not the hostname:"
            f" {reference.name}. For a host name use group networking.istio.io, kind Hostname",
        )
    return resolve_object(reader, lookup, reference)


SERVICE = BackendKind(group="", kind="Service", resolve=_resolve)
