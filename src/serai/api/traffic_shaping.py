"""The fields of TrafficPolicy.spec that change, delay, repeat or answer requests."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from serai.api.bounds import Count, Percent, Some
from serai.api.kgateway import Nothing
from serai.api.meta import Struct

Library = Literal["Gzip", "Brotli", "Zstd"]


class SecretKeyRef(Struct, frozen=True):
    """A key of a Secret."""

    name: str
    key: str | None = None
    namespace: str | None = None


class HeaderValue(Struct, frozen=True):
    """A header, with its value here or in a Secret; without a name, each key of it is one."""

    name: str = ""
    value: str | None = None
    secret_ref: SecretKeyRef | None = None


class HeaderModifier(Struct, frozen=True):
    """spec.headerModifiers.request and .response."""

    set: tuple[HeaderValue, ...] = ()
    add: tuple[HeaderValue, ...] = ()
    remove: tuple[str, ...] = ()


class HeaderModifiers(Struct, frozen=True):
    """spec.headerModifiers."""

    request: HeaderModifier | None = None
    response: HeaderModifier | None = None


class Retry(Struct, frozen=True):
    """spec.retry."""

    retry_on: tuple[str, ...] = ()
    attempts: Count = 1
    per_try_timeout: str | None = None
    status_codes: tuple[Annotated[int, Meta(extra={"least": 400, "most": 599})], ...] = ()
    backoff_base_interval: str = "25ms"


class Buffer(Struct, frozen=True):
    """spec.buffer."""

    max_request_size: int | str | None = None
    """Bytes, or a quantity such as 1Mi."""
    disable: Nothing | None = None


class Delay(Struct, frozen=True):
    """spec.faultInjection.delay."""

    fixed_delay: str
    percentage: Percent = 100


class Abort(Struct, frozen=True):
    """spec.faultInjection.abort."""

    http_status: Annotated[int, Meta(extra={"least": 200, "most": 599})] | None = None
    grpc_status: Annotated[int, Meta(extra={"least": 0, "most": 16})] | None = None
    percentage: Percent = 100


class ResponseRateLimit(Struct, frozen=True):
    """spec.faultInjection.responseRateLimit."""

    kbits_per_second: Annotated[int, Meta(extra={"least": 1, "most": 2**63 - 1})]
    percentage: Percent = 100


class FaultInjection(Struct, frozen=True):
    """spec.faultInjection."""

    delay: Delay | None = None
    abort: Abort | None = None
    response_rate_limit: ResponseRateLimit | None = None
    max_active_faults: Count | None = None
    disable: Nothing | None = None


class OriginMatch(Struct, frozen=True):
    """spec.csrf.additionalOrigins[]."""

    exact: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    contains: str | None = None
    safe_regex: str | None = None
    ignore_case: bool = False


class CSRF(Struct, frozen=True):
    """spec.csrf."""

    percentage_enabled: Percent | None = None
    percentage_shadowed: Percent | None = None
    additional_origins: tuple[OriginMatch, ...] = ()


class Codecs(Struct, frozen=True):
    """spec.compression.responseCompression and .requestDecompression."""

    libraries: tuple[Library, ...] = ("Gzip",)
    disable: Nothing | None = None


class Compression(Struct, frozen=True):
    """spec.compression."""

    response_compression: Codecs | None = None
    request_decompression: Codecs | None = None


class PathRegex(Struct, frozen=True):
    """spec.urlRewrite.pathRegex."""

    pattern: str
    substitution: str


class URLRewrite(Struct, frozen=True):
    """spec.urlRewrite."""

    path_regex: PathRegex | None = None


class InternalRedirect(Struct, frozen=True):
    """spec.internalRedirect."""

    redirect_response_codes: tuple[int, ...] = (302,)
    max_redirects: Some = 1
    allow_cross_scheme_redirect: bool = False
    response_headers_to_copy: tuple[str, ...] = ()
