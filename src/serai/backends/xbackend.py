"""backendRef to the Gateway API's XBackend, which has one port, so that a reference needs none."""

from __future__ import annotations

from msgspec.structs import replace

from serai.api.backend_policy import EXPERIMENTAL_GROUP
from serai.api.meta import Key
from serai.backends.kind import BackendKind, Invalid, Lookup, Reference, resolve_object
from serai.incremental import Reader
from serai.model.service import BackendKey


def _resolve(reader: Reader, lookup: Lookup, reference: Reference) -> BackendKey | Invalid:
    key = Key(reference.kind, reference.namespace or reference.source.namespace, reference.name)
    found = reader.get(lookup.catalog.services, key)
    port = reference.port or (found.ports[0].number if found else 0)
    return resolve_object(reader, lookup, replace(reference, port=port))


XBACKEND = BackendKind(
    group=EXPERIMENTAL_GROUP, kind="XBackend", resolve=_resolve, needs_port=False
)
