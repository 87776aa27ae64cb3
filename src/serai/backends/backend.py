"""backendRef to kgateway's Backend, which has one port: that of the reference is not looked at."""

from __future__ import annotations

from msgspec.structs import replace

from serai.api.kgateway import GROUP
from serai.api.meta import Key
from serai.backends.kind import BackendKind, Invalid, Lookup, Reference, resolve_object
from serai.incremental import Reader
from serai.model.service import BackendKey


def _resolve(reader: Reader, lookup: Lookup, reference: Reference) -> BackendKey | Invalid:
    key = Key(reference.kind, reference.namespace or reference.source.namespace, reference.name)
    found = reader.get(lookup.catalog.services, key)
    if found is not None and not found.ports:
        return Invalid("UnsupportedProtocol", f"{key} is of a type that Serai does not support")
    port = found.ports[0].number if found else 0
    return resolve_object(reader, lookup, replace(reference, port=port))


BACKEND = BackendKind(group=GROUP, kind="Backend", resolve=_resolve, needs_port=False)
