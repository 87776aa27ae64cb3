"""backendRef to a ServiceEntry by its name; of several hosts it means the first."""

from __future__ import annotations

from serai.api.networking import GROUP as ISTIO
from serai.backends.kind import BackendKind, resolve_object

SERVICE_ENTRY = BackendKind(group=ISTIO, kind="ServiceEntry", resolve=resolve_object)
