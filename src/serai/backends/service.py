"""backendRef to a Kubernetes Service."""

from __future__ import annotations

from serai.backends.kind import BackendKind, resolve_object

SERVICE = BackendKind(group="", kind="Service", resolve=resolve_object)
