"""kgateway's GatewayExtension: whom policies ask.  A policy names it by extensionRef."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, field

from serai.api.bounds import Count, Some, out_of_bounds
from serai.api.extension_jwt import JWT, ClaimToHeader
from serai.api.extension_reference import ServiceReference
from serai.api.meta import Object, Struct
from serai.api.problem import Problem


class ExtensionBackoff(Struct, frozen=True):
    """retry.backoff of a service that is asked."""

    base_interval: str
    max_interval: str | None = None


class ExtensionRetry(Struct, frozen=True):
    """How often a service is asked again; 0 for never."""

    attempts: Count = 1
    backoff: ExtensionBackoff | None = None


class GrpcService(Struct, frozen=True):
    """A service that is asked by gRPC."""

    backend_ref: ServiceReference
    authority: str | None = None
    request_timeout: str | None = None
    retry: ExtensionRetry | None = None


class AuthorizationRequest(Struct, frozen=True):
    """spec.extAuth.httpService.authorizationRequest."""

    headers_to_add: dict[str, str] = {}


class AuthorizationResponse(Struct, frozen=True):
    """spec.extAuth.httpService.authorizationResponse: which headers of the answer go where."""

    headers_to_backend: tuple[str, ...] = ()
    headers_to_client: tuple[str, ...] = ()
    headers_to_client_on_success: tuple[str, ...] = ()


class HttpService(Struct, frozen=True):
    """spec.extAuth.httpService."""

    backend_ref: ServiceReference
    path_prefix: str | None = None
    request_timeout: str | None = None
    retry: ExtensionRetry | None = None
    authorization_request: AuthorizationRequest | None = None
    authorization_response: AuthorizationResponse | None = None


class WithRequestBody(Struct, frozen=True):
    """How much of a request's body is shown to whom is asked."""

    max_request_bytes: Some
    allow_partial_message: bool = False
    pack_as_bytes: bool = False


class ExtAuthProvider(Struct, frozen=True):
    """spec.extAuth."""

    grpc_service: GrpcService | None = None
    http_service: HttpService | None = None
    fail_open: bool = False
    clear_route_cache: bool = False
    with_request_body: WithRequestBody | None = None
    status_on_error: Annotated[int, Meta(extra={"least": 100, "most": 511})] = 403
    stat_prefix: str | None = None
    headers_to_forward: tuple[str, ...] = ()


class ProcessingMode(Struct, frozen=True):
    """processingMode: SEND or SKIP of headers and trailers, and how bodies are sent."""

    request_header_mode: str = "SEND"
    response_header_mode: str = "SEND"
    request_body_mode: str = "NONE"
    response_body_mode: str = "NONE"
    request_trailer_mode: str = "SKIP"
    response_trailer_mode: str = "SKIP"


class MetadataNamespaces(Struct, frozen=True):
    """metadataOptions.forwarding."""

    typed: tuple[str, ...] = ()
    untyped: tuple[str, ...] = ()


class MetadataOptions(Struct, frozen=True):
    """metadataOptions."""

    forwarding: MetadataNamespaces | None = None


class FilterStage(Struct, frozen=True):
    """filterStage: where among the filters."""

    stage: str
    predicate: str = "During"
    weight: int = 0


class ExtProcProvider(Struct, frozen=True):
    """GatewayExtension.spec.extProc."""

    grpc_service: GrpcService
    fail_open: bool = True
    processing_mode: ProcessingMode | None = None
    allow_processing_mode_override: bool = False
    allowed_processing_mode_overrides: tuple[ProcessingMode, ...] = ()
    message_timeout: str | None = None
    max_message_timeout: str | None = None
    stat_prefix: str | None = None
    route_cache_action: str = "FromResponse"
    metadata_options: MetadataOptions | None = None
    request_attributes: tuple[str, ...] = ()
    filter_stage: FilterStage | None = None


class RateLimitProvider(Struct, frozen=True):
    """spec.rateLimit; without a grpcService it is Serai's own rate limit service that is asked."""

    domain: str
    grpc_service: GrpcService | None = None
    fail_open: bool = True
    timeout: str = "100ms"
    x_rate_limit_headers: Literal["Off", "DraftVersion03"] = "Off"


class OAuth2CookieNames(Struct, frozen=True):
    """spec.oauth2.cookies.names."""

    access_token: str | None = None
    id_token: str | None = field(name="idToken", default=None)


class OAuth2Cookies(Struct, frozen=True):
    """spec.oauth2.cookies."""

    domain: str | None = None
    names: OAuth2CookieNames | None = None
    same_site: str | None = None
    disable_access_token_set_cookie: bool = False
    disable_id_token_set_cookie: bool = field(name="disableIDTokenSetCookie", default=False)
    disable_refresh_token_set_cookie: bool = False


class LocalSecretReference(Struct, frozen=True):
    """A Secret of the same namespace."""

    name: str = ""


class OAuth2Credentials(Struct, frozen=True):
    """spec.oauth2.credentials; the Secret has the key client-secret."""

    client_id: str = field(name="clientID")
    client_secret_ref: LocalSecretReference = LocalSecretReference()


class OAuth2Header(Struct, frozen=True):
    """spec.oauth2.denyRedirect.headers[]."""

    name: str
    value: str
    type: Literal["Exact", "RegularExpression"] = "Exact"


class OAuth2DenyRedirect(Struct, frozen=True):
    """spec.oauth2.denyRedirect."""

    headers: tuple[OAuth2Header, ...] = ()


class OAuth2Token(Struct, frozen=True):
    """spec.oauth2.jwt.accessToken, idToken: what it must say, and who is told."""

    audiences: tuple[str, ...] = ()
    claims_to_headers: tuple[ClaimToHeader, ...] = ()


class OAuth2Tokens(Struct, frozen=True):
    """spec.oauth2.jwt: which of the tokens that a log-in gave are verified."""

    access_token: OAuth2Token | None = None
    id_token: OAuth2Token | None = field(name="idToken", default=None)
    jwks_uri: str | None = field(name="jwksURI", default=None)
    jwks_backend_ref: ServiceReference | None = None


class OAuth2Provider(Struct, frozen=True):
    """spec.oauth2."""

    backend_ref: ServiceReference
    credentials: OAuth2Credentials
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    end_session_endpoint: str | None = None
    issuer_uri: str | None = field(name="issuerURI", default=None)
    redirect_uri: str | None = field(name="redirectURI", default=None)
    logout_path: str = "/logout"
    forward_access_token: bool = False
    scopes: tuple[str, ...] = ()
    cookies: OAuth2Cookies | None = None
    jwt: OAuth2Tokens | None = None
    deny_redirect: OAuth2DenyRedirect | None = None


class GatewayExtensionSpec(Struct, frozen=True):
    """GatewayExtension.spec: one of these."""

    type: Literal["ExtAuth", "ExtProc", "RateLimit", "JWT", "OAuth2"] | None = None
    ext_auth: ExtAuthProvider | None = None
    ext_proc: ExtProcProvider | None = None
    rate_limit: RateLimitProvider | None = None
    oauth2: OAuth2Provider | None = None
    jwt: JWT | None = None


class GatewayExtension(Object, frozen=True):
    """gateway.kgateway.dev/v1alpha1 GatewayExtension."""

    spec: GatewayExtensionSpec = GatewayExtensionSpec()


def check_gateway_extension(extension: GatewayExtension) -> Iterator[Problem]:
    """The bounds of its numbers."""
    yield from out_of_bounds(extension.spec, "spec")
