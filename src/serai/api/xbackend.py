"""XBackend: something outside that routes send to.  Gateway API, experimental: XBackend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, field

from serai.api.backend_policy import BackendTLSValidation
from serai.api.bounds import out_of_bounds
from serai.api.faults import clash, wrong
from serai.api.meta import Object, Struct
from serai.api.problem import Problem
from serai.api.syntax import is_hostname, is_ip
from serai.api.validate_backend import HOST_REMEDY, check_validation


class ExternalHostname(Struct, frozen=True):
    """XBackend.spec.externalHostname."""

    hostname: str


class BackendPort(Struct, frozen=True):
    """XBackend.spec.port."""

    port: Annotated[int, Meta(extra={"least": 1, "most": 65535})]
    name: str = ""


class CertificateReference(Struct, frozen=True):
    """tls.clientCertificateRef: a Secret."""

    name: str
    group: str = ""
    kind: str = "Secret"
    namespace: str | None = None


class XBackendTls(Struct, frozen=True):
    """XBackend.spec.tls."""

    mode: Literal["None", "ServerOnly", "ClientAndServer"]
    validation: BackendTLSValidation | None = None
    """None: the backend's own host, and whom the system trusts."""
    client_certificate_ref: CertificateReference | None = None


class XBackendSpec(Struct, frozen=True):
    """XBackend.spec."""

    type: Literal["ExternalHostname"]
    port: BackendPort
    external_hostname: ExternalHostname | None = None
    protocol: Literal["TCP", "HTTP", "HTTP2", "HTTP11", "H2C", "MCP", "GRPC"] | None = None
    tls: XBackendTls | None = field(name="tls", default=None)


class XBackend(Object, frozen=True):
    """gateway.networking.x-k8s.io/v1alpha1 XBackend."""

    spec: XBackendSpec


def check_xbackend(backend: XBackend) -> Iterator[Problem]:
    """What the definition of XBackend refuses."""
    spec = backend.spec
    yield from out_of_bounds(spec, "spec")
    host = spec.external_hostname.hostname if spec.external_hostname else ""
    if spec.external_hostname is None:
        path = "spec.externalHostname"
        yield clash(path, f"{path} is missing, and type is ExternalHostname", "Name a host.")
    elif not is_hostname(host) or is_ip(host) or host.endswith(".cluster.local"):
        path = "spec.externalHostname.hostname"
        yield wrong(path, host, "the name of a host outside the cluster", HOST_REMEDY)
    if spec.tls is None:
        return
    if (spec.tls.client_certificate_ref is not None) != (spec.tls.mode == "ClientAndServer"):
        path = "spec.tls.clientCertificateRef"
        words = f"{path} must be there if spec.tls.mode is ClientAndServer, and only then"
        yield clash(path, words, "Correct one of the two.")
    if spec.tls.validation is not None:
        yield from check_validation("spec.tls.validation", spec.tls.validation)
