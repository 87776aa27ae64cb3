"""The kinds that a backendRef can name: one file each, and the table of them."""

from __future__ import annotations

from serai.backends.backend import BACKEND
from serai.backends.hostname import HOSTNAME
from serai.backends.kind import BackendKind, Invalid, Lookup, Reference
from serai.backends.service import SERVICE
from serai.backends.service_entry import SERVICE_ENTRY
from serai.backends.xbackend import XBACKEND
from serai.incremental import Reader
from serai.model.service import BackendKey

__all__ = ["BackendKind", "Invalid", "Lookup", "Reference", "resolve"]

KINDS: tuple[BackendKind, ...] = (SERVICE, SERVICE_ENTRY, HOSTNAME, BACKEND, XBACKEND)

_BY_TYPE = {(kind.group, kind.kind): kind for kind in KINDS}


def resolve(reader: Reader, lookup: Lookup, reference: Reference) -> BackendKey | Invalid:
    """What a backendRef sends to, or why it cannot.  Gateway API: BackendObjectReference."""
    group = "" if reference.group == "core" else reference.group
    kind = _BY_TYPE.get((group, reference.kind))
    if kind is None:
        known = ", ".join(each.kind for each in KINDS)
        shown = f"{reference.group}/{reference.kind}".lstrip("/")
        return Invalid("InvalidKind", f"{shown} is not a kind of backend; those are {known}")
    if reference.port is None and kind.needs_port:
        return Invalid(
            "InvalidDestination",
            f"port is required in backendRef: {reference.kind} {reference.name} has none",
        )
    return kind.resolve(reader, lookup, reference)
