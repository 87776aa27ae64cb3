"""PEM as Secrets and ConfigMaps hold it: what Envoy would refuse is found before it is sent."""

from __future__ import annotations

import binascii
from base64 import b64decode

from serai.api.core import ConfigMap, Secret
from serai.ir.origin import Value

CA = "ca.crt"
CHAIN = "tls.crt"
KEY = "tls.key"


class KeyPair(Value, frozen=True):
    """A certificate, those that vouch for it, and its key; all as PEM."""

    chain: str
    key: str

    def __repr__(self) -> str:
        return "KeyPair(...)"


def value_of(held: Secret | ConfigMap, name: str) -> str:
    """The text under a name; empty where there is none, or where it is no text."""
    if isinstance(held, ConfigMap):
        return held.data.get(name, "")
    if name in held.string_data:
        return held.string_data[name]
    try:
        return b64decode(held.data.get(name, "")).decode()
    except (binascii.Error, ValueError):
        return ""


def bundle_fault(pem: str) -> str:
    """What is wrong with a list of CA certificates; empty if nothing is."""
    from cryptography import x509  # noqa: PLC0415  most start without any

    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return "no PEM certificate" if "BEGIN CERTIFICATE" not in pem else "a malformed certificate"
    return ""


def pair_fault(pair: KeyPair) -> str:
    """What is wrong with a certificate and its key; empty if nothing is."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    fault = bundle_fault(pair.chain)
    if fault:
        return fault
    leaf = x509.load_pem_x509_certificates(pair.chain.encode())[0]
    try:
        key = load_pem_private_key(pair.key.encode(), password=None)
        theirs, ours = (
            each.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            for each in (leaf.public_key(), key.public_key())
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "no private key that can be read without a password"
    return "" if theirs == ours else "a certificate and a key that do not belong together"
