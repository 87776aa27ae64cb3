"""gateway.networking.k8s.io HTTPRoute, and the parts of it that GRPCRoute has too."""

from __future__ import annotations

from typing import Literal

from serai.api.gateway import DefaultScope, ParentReference
from serai.api.meta import Object, Struct
from serai.api.traffic_policy import HTTPCORSFilter


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


class BackendReference(Struct, frozen=True):
    """A backend without a weight: that of a mirror."""

    name: str
    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    port: int | None = None


class Fraction(Struct, frozen=True):
    """requestMirror.fraction."""

    numerator: int
    denominator: int = 100


class HTTPRequestMirrorFilter(Struct, frozen=True):
    """requestMirror; of all requests, where neither percent nor fraction is given."""

    backend_ref: BackendReference
    percent: int | None = None
    fraction: Fraction | None = None


class GRPCAuth(Struct, frozen=True):
    """externalAuth.grpc."""

    allowed_headers: tuple[str, ...] = ()


class HTTPAuth(Struct, frozen=True):
    """externalAuth.http."""

    path: str | None = None
    allowed_headers: tuple[str, ...] = ()
    allowed_response_headers: tuple[str, ...] = ()


class ForwardBody(Struct, frozen=True):
    """externalAuth.forwardBody."""

    max_size: int = 0


class HTTPExternalAuthFilter(Struct, frozen=True):
    """externalAuth: whom to ask whether a request may pass."""

    protocol: Literal["HTTP", "GRPC"]
    backend_ref: BackendReference
    grpc: GRPCAuth | None = None
    http: HTTPAuth | None = None
    forward_body: ForwardBody | None = None


class LocalObjectReference(Struct, frozen=True):
    """extensionRef: an object of the route's namespace."""

    group: str
    kind: str
    name: str


class HTTPRouteFilter(Struct, frozen=True):
    """rules[].filters[] and backendRefs[].filters[]; types not known here answer 500."""

    type: str
    request_header_modifier: HTTPHeaderFilter | None = None
    response_header_modifier: HTTPHeaderFilter | None = None
    request_redirect: HTTPRequestRedirectFilter | None = None
    url_rewrite: HTTPURLRewriteFilter | None = None
    request_mirror: HTTPRequestMirrorFilter | None = None
    cors: HTTPCORSFilter | None = None
    external_auth: HTTPExternalAuthFilter | None = None
    extension_ref: LocalObjectReference | None = None


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


class HTTPRouteRetry(Struct, frozen=True):
    """rules[].retry."""

    codes: tuple[int, ...] = ()
    attempts: int | None = None
    backoff: str | None = None


class SessionCookie(Struct, frozen=True):
    """sessionPersistence.cookie; before Gateway API 1.7 cookieConfig, without name and path."""

    name: str | None = None
    path: str = "/"
    lifetime_type: Literal["Permanent", "Session"] = "Session"


class SessionHeader(Struct, frozen=True):
    """sessionPersistence.header."""

    name: str


class SessionPersistence(Struct, frozen=True):
    """rules[].sessionPersistence, in its present shape and in that of Gateway API 1.6.

    sessionName, cookieConfig and idleTimeout are of the former.
    """

    type: Literal["Cookie", "Header"] = "Cookie"
    absolute_timeout: str | None = None
    cookie: SessionCookie | None = None
    header: SessionHeader | None = None
    session_name: str | None = None
    cookie_config: SessionCookie | None = None
    idle_timeout: str | None = None


class HTTPRouteRule(Struct, frozen=True):
    """HTTPRoute.spec.rules[]."""

    name: str | None = None
    matches: tuple[HTTPRouteMatch, ...] = ()
    filters: tuple[HTTPRouteFilter, ...] = ()
    backend_refs: tuple[HTTPBackendRef, ...] = ()
    timeouts: HTTPRouteTimeouts | None = None
    retry: HTTPRouteRetry | None = None
    session_persistence: SessionPersistence | None = None


class HTTPRouteSpec(Struct, frozen=True):
    """HTTPRoute.spec."""

    parent_refs: tuple[ParentReference, ...] = ()
    use_default_gateways: DefaultScope | None = None
    hostnames: tuple[str, ...] = ()
    rules: tuple[HTTPRouteRule, ...] = (HTTPRouteRule(),)


class HTTPRoute(Object, frozen=True):
    """gateway.networking.k8s.io/v1 HTTPRoute."""

    spec: HTTPRouteSpec = HTTPRouteSpec()
