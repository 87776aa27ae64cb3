"""ir.Secret -> Secret.

Of the mesh's certificates Envoy reads the files itself, so that their keys do not pass through the
control plane; those of listeners are in Secrets.
"""

from __future__ import annotations

from typing import Any

from serai.ir.secret import (
    AuthorityFile,
    CertificateFiles,
    ClientAuthority,
    Confidence,
    ServerCertificate,
)
from serai.ir.secret import Secret as IrSecret
from serai.proto.envoy import Secret
from serai.xds.encode.body import resource
from serai.xds.resource import Resource, ResourceType


def encode_secret(secret: IrSecret) -> Resource:
    """A certificate with its key, or CAs; or where a proxy finds them."""
    message = Secret(name=secret.name, **_content(secret))
    origins = secret.origins if isinstance(secret, ClientAuthority) else (secret.origin,)
    return resource(ResourceType.SECRET, secret.name, message, origins)


def _content(secret: IrSecret) -> dict[str, Any]:
    match secret:
        case ServerCertificate(_, chain, key):
            pair = {
                "certificate_chain": {"inline_string": chain},
                "private_key": {"inline_string": key},
            }
            return {"tls_certificate": pair}
        case Confidence(_, text):
            return {"generic_secret": {"secret": {"inline_string": text}}}
        case ClientAuthority(_, certificates):
            return {"validation_context": {"trusted_ca": {"inline_string": certificates}}}
        case CertificateFiles():
            pair = {
                "certificate_chain": {"filename": secret.chain},
                "private_key": {"filename": secret.key},
            }
            return {"tls_certificate": {**pair, "watched_directory": {"path": secret.folder}}}
        case AuthorityFile():
            trusted = {"filename": secret.certificates}
            return {
                "validation_context": {
                    "trusted_ca": trusted,
                    "watched_directory": {"path": secret.folder},
                }
            }
