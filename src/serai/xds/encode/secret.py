"""ir.Secret -> Secret.  Envoy reads the files itself: no key passes through the control plane."""

from __future__ import annotations

from typing import Any

from serai.ir.secret import AuthorityFile, CertificateFiles
from serai.ir.secret import Secret as IrSecret
from serai.proto.envoy import Secret
from serai.xds.encode.body import resource
from serai.xds.resource import Resource, ResourceType


def encode_secret(secret: IrSecret) -> Resource:
    """Where a proxy finds a certificate, and the folder that it watches."""
    message = Secret(name=secret.name, **_content(secret))
    return resource(ResourceType.SECRET, secret.name, message, (secret.origin,))


def _content(secret: IrSecret) -> dict[str, Any]:
    watched = {"path": secret.folder}
    match secret:
        case CertificateFiles():
            pair = {
                "certificate_chain": {"filename": secret.chain},
                "private_key": {"filename": secret.key},
            }
            return {"tls_certificate": {**pair, "watched_directory": watched}}
        case AuthorityFile():
            trusted = {"filename": secret.certificates}
            return {"validation_context": {"trusted_ca": trusted, "watched_directory": watched}}
