"""The Gateway API's kinds: GatewayClass, Gateway, HTTPRoute, ReferenceGrant."""

from __future__ import annotations

from typing import Literal

from serai.api.gateway_tls import GatewayTLSConfig, ListenerTLSConfig
from serai.api.meta import LabelSelector, Object, Struct

GROUP = "gateway.networking.k8s.io"


class ParametersReference(Struct, frozen=True):
    """GatewayClass.spec.parametersRef and Gateway.spec.infrastructure.parametersRef.

    Only a GatewayClass's has a namespace.
    """

    group: str
    kind: str
    name: str
    namespace: str | None = None


class GatewayClassSpec(Struct, frozen=True):
    """GatewayClass.spec."""

    controller_name: str
    description: str = ""
    parameters_ref: ParametersReference | None = None


class GatewayClass(Object, frozen=True):
    """gateway.networking.k8s.io/v1 GatewayClass."""

    spec: GatewayClassSpec


class RouteNamespaces(Struct, frozen=True):
    """allowedRoutes.namespaces."""

    from_: Literal["All", "Same", "Selector", "None"] = "Same"
    selector: LabelSelector | None = None


class RouteGroupKind(Struct, frozen=True, omit_defaults=False):
    """allowedRoutes.kinds[]."""

    kind: str
    group: str = GROUP


class AllowedRoutes(Struct, frozen=True):
    """Gateway.spec.listeners[].allowedRoutes."""

    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: tuple[RouteGroupKind, ...] = ()


class Listener(Struct, frozen=True):
    """Gateway.spec.listeners[]."""

    name: str
    port: int
    protocol: str
    hostname: str | None = None
    tls: ListenerTLSConfig | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()


class ListenerNamespaces(Struct, frozen=True):
    """allowedListeners.namespaces."""

    from_: Literal["All", "Same", "Selector", "None"] = "None"
    selector: LabelSelector | None = None


class AllowedListeners(Struct, frozen=True):
    """Gateway.spec.allowedListeners: of which namespaces ListenerSets may add listeners."""

    namespaces: ListenerNamespaces = ListenerNamespaces()


class GatewayInfrastructure(Struct, frozen=True):
    """Gateway.spec.infrastructure."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    parameters_ref: ParametersReference | None = None


class GatewayAddress(Struct, frozen=True, omit_defaults=False):
    """Gateway.spec.addresses[]."""

    value: str = ""
    type: str = "IPAddress"


class GatewaySpec(Struct, frozen=True):
    """Gateway.spec."""

    gateway_class_name: str
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[GatewayAddress, ...] = ()
    infrastructure: GatewayInfrastructure | None = None
    allowed_listeners: AllowedListeners = AllowedListeners()
    tls: GatewayTLSConfig | None = None
    default_scope: Literal["All", "None"] | None = None


class Gateway(Object, frozen=True):
    """gateway.networking.k8s.io/v1 Gateway."""

    spec: GatewaySpec


class ParentReference(Struct, frozen=True, omit_defaults=False):
    """HTTPRoute.spec.parentRefs[]."""

    name: str
    group: str = GROUP
    kind: str = "Gateway"
    namespace: str | None = None
    section_name: str | None = None
    port: int | None = None


class HTTPPathMatch(Struct, frozen=True):
    """matches[].path."""

    type: Literal["Exact", "PathPrefix", "RegularExpression"] = "PathPrefix"
    value: str = "/"


class HTTPValueMatch(Struct, frozen=True):
    """matches[].headers[] and matches[].queryParams[]."""

    name: str
    value: str
    type: Literal["Exact", "RegularExpression"] = "Exact"


class HTTPRouteMatch(Struct, frozen=True):
    """rules[].matches[]."""

    path: HTTPPathMatch = HTTPPathMatch()
    headers: tuple[HTTPValueMatch, ...] = ()
    query_params: tuple[HTTPValueMatch, ...] = ()
    method: str | None = None


class HTTPHeader(Struct, frozen=True):
    """A header to set or add."""

    name: str
    value: str


class HTTPHeaderFilter(Struct, frozen=True):
    """requestHeaderModifier and responseHeaderModifier."""

    set: tuple[HTTPHeader, ...] = ()
    add: tuple[HTTPHeader, ...] = ()
    remove: tuple[str, ...] = ()


class HTTPPathModifier(Struct, frozen=True):
    """The path of a redirect or a rewrite."""

    type: Literal["ReplaceFullPath", "ReplacePrefixMatch"]
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


class HTTPRequestRedirectFilter(Struct, frozen=True):
    """requestRedirect."""

    scheme: Literal["http", "https"] | None = None
    hostname: str | None = None
    path: HTTPPathModifier | None = None
    port: int | None = None
    status_code: Literal[301, 302, 303, 307, 308] = 302


class HTTPURLRewriteFilter(Struct, frozen=True):
    """urlRewrite."""

    hostname: str | None = None
    path: HTTPPathModifier | None = None


class HTTPRouteFilter(Struct, frozen=True):
    """rules[].filters[] and backendRefs[].filters[]; types not known here answer 500."""

    type: str
    request_header_modifier: HTTPHeaderFilter | None = None
    response_header_modifier: HTTPHeaderFilter | None = None
    request_redirect: HTTPRequestRedirectFilter | None = None
    url_rewrite: HTTPURLRewriteFilter | None = None


class HTTPBackendRef(Struct, frozen=True):
    """rules[].backendRefs[]."""

    name: str
    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    port: int | None = None
    weight: int = 1
    filters: tuple[HTTPRouteFilter, ...] = ()


class HTTPRouteTimeouts(Struct, frozen=True):
    """rules[].timeouts, as Gateway API durations (GEP-2257) such as 1m30s."""

    request: str | None = None
    backend_request: str | None = None


class HTTPRouteRule(Struct, frozen=True):
    """HTTPRoute.spec.rules[]."""

    name: str | None = None
    matches: tuple[HTTPRouteMatch, ...] = ()
    filters: tuple[HTTPRouteFilter, ...] = ()
    backend_refs: tuple[HTTPBackendRef, ...] = ()
    timeouts: HTTPRouteTimeouts | None = None


class HTTPRouteSpec(Struct, frozen=True):
    """HTTPRoute.spec."""

    parent_refs: tuple[ParentReference, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[HTTPRouteRule, ...] = (HTTPRouteRule(),)


class HTTPRoute(Object, frozen=True):
    """gateway.networking.k8s.io/v1 HTTPRoute."""

    spec: HTTPRouteSpec = HTTPRouteSpec()


class GrantFrom(Struct, frozen=True):
    """ReferenceGrant.spec.from[]."""

    group: str
    kind: str
    namespace: str


class GrantTo(Struct, frozen=True):
    """ReferenceGrant.spec.to[]; no name means every object of that kind."""

    group: str
    kind: str
    name: str | None = None


class ReferenceGrantSpec(Struct, frozen=True):
    """ReferenceGrant.spec."""

    from_: tuple[GrantFrom, ...] = ()
    to: tuple[GrantTo, ...] = ()


class ReferenceGrant(Object, frozen=True):
    """gateway.networking.k8s.io/v1beta1 ReferenceGrant."""

    spec: ReferenceGrantSpec = ReferenceGrantSpec()
