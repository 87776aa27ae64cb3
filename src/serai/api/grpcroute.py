"""gateway.networking.k8s.io GRPCRoute."""

from __future__ import annotations

from typing import Literal

from serai.api.gateway import DefaultScope, ParentReference
from serai.api.httproute import HTTPBackendRef, HTTPRouteFilter, HTTPValueMatch, SessionPersistence
from serai.api.meta import Object, Struct


class GRPCMethodMatch(Struct, frozen=True):
    """matches[].method: the service, the method, or both."""

    type: Literal["Exact", "RegularExpression"] = "Exact"
    service: str | None = None
    method: str | None = None


class GRPCRouteMatch(Struct, frozen=True):
    """rules[].matches[]; an empty one matches every call."""

    method: GRPCMethodMatch | None = None
    headers: tuple[HTTPValueMatch, ...] = ()


class GRPCRouteRule(Struct, frozen=True):
    """GRPCRoute.spec.rules[].  Its filters and backendRefs are an HTTPRoute's, with fewer types."""

    name: str | None = None
    matches: tuple[GRPCRouteMatch, ...] = ()
    filters: tuple[HTTPRouteFilter, ...] = ()
    backend_refs: tuple[HTTPBackendRef, ...] = ()
    session_persistence: SessionPersistence | None = None


class GRPCRouteSpec(Struct, frozen=True):
    """GRPCRoute.spec."""

    parent_refs: tuple[ParentReference, ...] = ()
    use_default_gateways: DefaultScope | None = None
    hostnames: tuple[str, ...] = ()
    rules: tuple[GRPCRouteRule, ...] = ()


class GRPCRoute(Object, frozen=True):
    """gateway.networking.k8s.io/v1 GRPCRoute."""

    spec: GRPCRouteSpec = GRPCRouteSpec()
