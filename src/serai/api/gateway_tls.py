"""TLS as listeners and Gateways ask for it.  Gateway API: ListenerTLSConfig, GatewayTLSConfig."""

from __future__ import annotations

from typing import Literal

from serai.api.meta import Struct


class SecretObjectReference(Struct, frozen=True, omit_defaults=False):
    """certificateRefs[] and clientCertificateRef."""

    name: str
    group: str = ""
    kind: str = "Secret"
    namespace: str | None = None


class ObjectReference(Struct, frozen=True, omit_defaults=False):
    """caCertificateRefs[]."""

    group: str
    kind: str
    name: str
    namespace: str | None = None


class ListenerTLSConfig(Struct, frozen=True):
    """listeners[].tls."""

    mode: Literal["Terminate", "Passthrough"] = "Terminate"
    certificate_refs: tuple[SecretObjectReference, ...] = ()
    options: dict[str, str] = {}


class FrontendTLSValidation(Struct, frozen=True):
    """validation: how the certificates of clients are checked."""

    ca_certificate_refs: tuple[ObjectReference, ...] = ()
    mode: Literal["AllowValidOnly", "AllowInsecureFallback"] = "AllowValidOnly"


class TLSConfig(Struct, frozen=True):
    """tls.frontend.default and tls.frontend.perPort[].tls."""

    validation: FrontendTLSValidation | None = None


class TLSPortConfig(Struct, frozen=True):
    """tls.frontend.perPort[]."""

    port: int
    tls: TLSConfig


class FrontendTLSConfig(Struct, frozen=True):
    """tls.frontend."""

    default: TLSConfig
    per_port: tuple[TLSPortConfig, ...] = ()


class GatewayBackendTLS(Struct, frozen=True):
    """tls.backend."""

    client_certificate_ref: SecretObjectReference | None = None


class GatewayTLSConfig(Struct, frozen=True):
    """Gateway.spec.tls."""

    backend: GatewayBackendTLS | None = None
    frontend: FrontendTLSConfig | None = None
