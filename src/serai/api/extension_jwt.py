"""spec.jwt of a GatewayExtension: whose tokens are taken."""

from __future__ import annotations

from typing import Literal

from serai.api.extension_reference import ServiceReference
from serai.api.meta import Struct


class HeaderSource(Struct, frozen=True):
    """spec.jwt.providers[].tokenSource.header."""

    header: str
    prefix: str = ""


class TokenSource(Struct, frozen=True):
    """spec.jwt.providers[].tokenSource: one of these."""

    header: HeaderSource | None = None
    query_parameter: str | None = None


class ClaimToHeader(Struct, frozen=True):
    """spec.jwt.providers[].claimsToHeaders[]."""

    name: str
    """Of the claim."""
    header: str


class LocalReference(Struct, frozen=True):
    """A ConfigMap of the extension's namespace."""

    name: str = ""


class LocalJWKS(Struct, frozen=True):
    """spec.jwt.providers[].jwks.local: one of these."""

    inline: str | None = None
    config_map_ref: LocalReference | None = None


class AsyncFetch(Struct, frozen=True):
    """spec.jwt.providers[].jwks.remote.asyncFetch; no request ever waits for keys here."""

    fast_listener: bool = False
    failed_refetch_duration: str | None = None


class BackOff(Struct, frozen=True):
    """spec.jwt.providers[].jwks.remote.retryPolicy.backOff."""

    base_interval: str
    max_interval: str | None = None


class RetryPolicy(Struct, frozen=True):
    """spec.jwt.providers[].jwks.remote.retryPolicy; what fails is tried again for ever here."""

    num_retries: int | None = None
    back_off: BackOff | None = None


class RemoteJWKS(Struct, frozen=True):
    """spec.jwt.providers[].jwks.remote."""

    url: str
    backend_ref: ServiceReference
    cache_duration: str | None = None
    async_fetch: AsyncFetch | None = None
    retry_policy: RetryPolicy | None = None


class JWKS(Struct, frozen=True):
    """spec.jwt.providers[].jwks: one of these."""

    local: LocalJWKS | None = None
    remote: RemoteJWKS | None = None


class JWTProvider(Struct, frozen=True):
    """spec.jwt.providers[]."""

    name: str
    jwks: JWKS
    issuer: str = ""
    audiences: tuple[str, ...] = ()
    token_source: TokenSource | None = None
    claims_to_headers: tuple[ClaimToHeader, ...] = ()
    forward_token: bool = False


class JWT(Struct, frozen=True):
    """spec.jwt: a token of any of the providers."""

    validation_mode: Literal["Strict", "AllowMissing"] = "Strict"
    providers: tuple[JWTProvider, ...] = ()
