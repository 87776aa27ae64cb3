"""gateway.networking.k8s.io TCPRoute, TLSRoute and UDPRoute: routes that look at no request."""

from __future__ import annotations

from serai.api.gateway import DefaultScope, ParentReference
from serai.api.meta import Object, Struct


class BackendRef(Struct, frozen=True):
    """rules[].backendRefs[]."""

    name: str
    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    port: int | None = None
    weight: int = 1


class StreamRule(Struct, frozen=True):
    """spec.rules[]; there is exactly one."""

    name: str | None = None
    backend_refs: tuple[BackendRef, ...] = ()


class StreamRouteSpec(Struct, frozen=True):
    """TCPRoute.spec and UDPRoute.spec."""

    rules: tuple[StreamRule, ...]
    parent_refs: tuple[ParentReference, ...] = ()
    use_default_gateways: DefaultScope | None = None


class TLSRouteSpec(Struct, frozen=True):
    """TLSRoute.spec."""

    rules: tuple[StreamRule, ...]
    hostnames: tuple[str, ...] = ()
    parent_refs: tuple[ParentReference, ...] = ()
    use_default_gateways: DefaultScope | None = None


class TCPRoute(Object, frozen=True):
    """gateway.networking.k8s.io/v1 TCPRoute."""

    spec: StreamRouteSpec


class UDPRoute(Object, frozen=True):
    """gateway.networking.k8s.io/v1 UDPRoute."""

    spec: StreamRouteSpec


class TLSRoute(Object, frozen=True):
    """gateway.networking.k8s.io/v1 TLSRoute."""

    spec: TLSRouteSpec
