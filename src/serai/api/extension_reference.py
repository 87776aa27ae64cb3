"""How a GatewayExtension names what it calls."""

from __future__ import annotations

from serai.api.meta import Struct


class ServiceReference(Struct, frozen=True):
    """A backendRef of an extension."""

    name: str
    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    port: int | None = None
