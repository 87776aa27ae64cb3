"""kgateway's TrafficPolicy: what happens to requests.  A field is a feature in serai.policies."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from serai.api.bounds import Count, Percent, Some
from serai.api.gateway_extension import ProcessingMode, WithRequestBody
from serai.api.kgateway import Nothing, PolicyTargetReference, PolicyTargetSelector
from serai.api.meta import Object, Struct
from serai.api.tracing import RouteTracing
from serai.api.traffic_auth import ACL, RBAC, APIKeyAuth, BasicAuth
from serai.api.traffic_shaping import (
    CSRF,
    Buffer,
    Compression,
    FaultInjection,
    HeaderModifiers,
    InternalRedirect,
    Retry,
    URLRewrite,
)
from serai.api.transformation import Transformation


class ExtensionReference(Struct, frozen=True):
    """A GatewayExtension."""

    name: str
    namespace: str | None = None


class HTTPCORSFilter(Struct, frozen=True):
    """spec.cors, and the filter CORS of a route; `disable` is TrafficPolicy's only."""

    allow_origins: tuple[str, ...] = ()
    allow_credentials: bool = False
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: Count = 5
    """Seconds for which a browser may keep the answer to a preflight."""
    disable: Nothing | None = None


class TokenBucket(Struct, frozen=True):
    """spec.rateLimit.local.tokenBucket."""

    max_tokens: Some
    fill_interval: str
    tokens_per_fill: Some = 1


class LocalRateLimit(Struct, frozen=True):
    """spec.rateLimit.local; without a bucket there is no limit."""

    token_bucket: TokenBucket | None = None
    percent_enabled: Percent = 100
    percent_enforced: Percent = 100


class GenericEntry(Struct, frozen=True):
    """A pair that is always the same."""

    key: str
    value: str


class DescriptorEntry(Struct, frozen=True):
    """spec.rateLimit.global.descriptors[].entries[]: what is told of a request, of one type."""

    type: Literal["Generic", "Header", "RemoteAddress", "Path"]
    generic: GenericEntry | None = None
    header: str | None = None


class Descriptor(Struct, frozen=True):
    """spec.rateLimit.global.descriptors[]: what one limit goes by."""

    entries: tuple[DescriptorEntry, ...] = ()


class GlobalRateLimit(Struct, frozen=True):
    """spec.rateLimit.global; `disable` takes a less specific policy's limit away."""

    descriptors: tuple[Descriptor, ...] = ()
    extension_ref: ExtensionReference | None = None
    disable: Nothing | None = None


class RateLimit(Struct, frozen=True):
    """spec.rateLimit."""

    local: LocalRateLimit | None = None
    global_: GlobalRateLimit | None = field(name="global", default=None)


class Timeouts(Struct, frozen=True):
    """spec.timeouts."""

    request: str | None = None
    stream_idle: str | None = None


class ExtAuthPolicy(Struct, frozen=True):
    """spec.extAuth."""

    extension_ref: ExtensionReference | None = None
    with_request_body: WithRequestBody | None = None
    context_extensions: dict[str, str] = {}
    disable: Nothing | None = None


class OAuth2Policy(Struct, frozen=True):
    """spec.oauth2."""

    extension_ref: ExtensionReference


class ExtProcPolicy(Struct, frozen=True):
    """spec.extProc."""

    extension_ref: ExtensionReference | None = None
    processing_mode: ProcessingMode | None = None
    disable: Nothing | None = None


class JWTAuth(Struct, frozen=True):
    """spec.jwtAuth."""

    extension_ref: ExtensionReference | None = None
    disable: Nothing | None = None


class TrafficPolicySpec(Struct, frozen=True):
    """TrafficPolicy.spec."""

    target_refs: tuple[PolicyTargetReference, ...] = ()
    target_selectors: tuple[PolicyTargetSelector, ...] = ()
    acl: ACL | None = None
    api_key_auth: APIKeyAuth | None = None
    auto_host_rewrite: bool | None = None
    basic_auth: BasicAuth | None = None
    buffer: Buffer | None = None
    compression: Compression | None = None
    cors: HTTPCORSFilter | None = None
    csrf: CSRF | None = None
    ext_auth: ExtAuthPolicy | None = None
    ext_proc: ExtProcPolicy | None = None
    fault_injection: FaultInjection | None = None
    header_modifiers: HeaderModifiers | None = None
    internal_redirect: InternalRedirect | None = None
    jwt_auth: JWTAuth | None = None
    oauth2: OAuth2Policy | None = None
    rate_limit: RateLimit | None = None
    rbac: RBAC | None = None
    retry: Retry | None = None
    stat_prefix: str | None = None
    timeouts: Timeouts | None = None
    tracing: RouteTracing | None = None
    transformation: Transformation | None = None
    url_rewrite: URLRewrite | None = None


class TrafficPolicy(Object, frozen=True):
    """gateway.kgateway.dev/v1alpha1 TrafficPolicy."""

    spec: TrafficPolicySpec = TrafficPolicySpec()
