"""kgateway's GatewayExtension: whom policies ask.  A policy names it by extensionRef."""

from __future__ import annotations

from typing import Literal

from serai.api.meta import Object, Struct


class ServiceReference(Struct, frozen=True):
    """A backendRef of an extension."""

    name: str
    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    port: int | None = None


class ExtensionBackoff(Struct, frozen=True):
    """retry.backoff of a service that is asked."""

    base_interval: str
    max_interval: str | None = None


class ExtensionRetry(Struct, frozen=True):
    """How often a service is asked again; 0 for never."""

    attempts: int = 1
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

    max_request_bytes: int
    allow_partial_message: bool = False
    pack_as_bytes: bool = False


class ExtAuthProvider(Struct, frozen=True):
    """spec.extAuth."""

    grpc_service: GrpcService | None = None
    http_service: HttpService | None = None
    fail_open: bool = False
    clear_route_cache: bool = False
    with_request_body: WithRequestBody | None = None
    status_on_error: int = 403
    stat_prefix: str | None = None
    headers_to_forward: tuple[str, ...] = ()


class GatewayExtensionSpec(Struct, frozen=True):
    """GatewayExtension.spec: one of these."""

    type: Literal["ExtAuth", "ExtProc", "RateLimit", "JWT", "OAuth2"] | None = None
    ext_auth: ExtAuthProvider | None = None


class GatewayExtension(Object, frozen=True):
    """gateway.kgateway.dev/v1alpha1 GatewayExtension."""

    spec: GatewayExtensionSpec = GatewayExtensionSpec()
