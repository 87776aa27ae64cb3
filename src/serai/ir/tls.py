"""TLS toward endpoints: whom to trust, whom to expect, what to show."""

from __future__ import annotations

from serai.ir.origin import Value


class SubjectName(Value, frozen=True):
    """A name that an endpoint's certificate may have."""

    value: str
    kind: str = "DNS"
    """``DNS``, which may begin with ``*.``; ``URI`` or ``IP_ADDRESS``."""


class Material(Value, frozen=True):
    """Certificates or a key: PEM, or the path of a file on the proxy's machine."""

    pem: str = ""
    path: str = ""

    def __repr__(self) -> str:
        return f"Material({self.path or '...'})"


class ClientCertificate(Value, frozen=True):
    """What a proxy shows to endpoints that ask for a certificate."""

    chain: Material
    key: Material


class WorkloadTls(Value, frozen=True):
    """Mutual TLS of the mesh: what a proxy shows, and whose certificates it takes."""

    certificate: str
    """The name of the secret with its own certificate."""
    authority: str
    """The name of the secret with the certificates that sign others'."""
    trust_domains: tuple[str, ...]


class UpstreamTls(Value, frozen=True):
    """How connections to endpoints are encrypted."""

    sni: str = ""
    """Empty: the host of each request, which is then also the name that is expected."""
    trust: Material | None = None
    """CA certificates; None: anybody is trusted."""
    names: tuple[SubjectName, ...] = ()
    """One of them has to be in the certificate; none: those that `trust` vouches for are taken."""
    certificate: ClientCertificate | None = None
    revoked: Material | None = None
    min_version: str = ""
    """Such as ``1.2``; empty: Envoy's own."""
    max_version: str = ""
    ciphers: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    alpn: tuple[str, ...] | None = None
    """None: as the cluster's protocol asks."""
    renegotiate: bool = False
    mesh: WorkloadTls | None = None
    """Mutual TLS of the mesh, in place of `trust` and `certificate`."""
    identities: str = ""
    """Of mutual TLS of the mesh without `names`: how the identity that is expected begins."""
