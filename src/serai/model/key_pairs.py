"""Certificates that servers show, read from Secrets and checked once, whoever refers to them.

What Envoy would refuse is found here, as it would refuse the whole listener.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from serai.api.core import Secret
from serai.api.meta import Key
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.ir.origin import Value
from serai.model.pem import CHAIN, KEY, KeyPair, pair_fault, value_of

TLS = "kubernetes.io/tls"
_LEAST_BITS = 2048
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})


class CheckedPair(Value, frozen=True):
    """A Secret as the certificate of a server."""

    pair: KeyPair | None
    """None: it cannot be used."""
    names: tuple[str, ...] = ()
    """The hosts that it is for, in small letters."""
    fault: str = ""
    """What is wrong with it, and what to do."""


def key_pairs(
    graph: Graph, secrets: Node[Key, Secret], untimely: Node[Key, str]
) -> Derived[Key, CheckedPair]:
    """Every Secret, as a certificate."""

    def checked(reader: Reader, key: Key, secret: Secret) -> CheckedPair:
        fault = _type_fault(secret)
        pair = KeyPair(value_of(secret, CHAIN), value_of(secret, KEY))
        fault = fault or _fault(pair) or reader.get(untimely, key) or ""
        if fault:
            return CheckedPair(None, fault=f"{key} {fault}")
        return CheckedPair(pair, _names(pair))

    return mapped(graph, "key pairs", secrets, checked)


def _type_fault(secret: Secret) -> str:
    if secret.type == TLS:
        return ""
    return f"is of type {secret.type}; make it one of type {TLS}"


def _fault(pair: KeyPair) -> str:
    if not pair.chain or not pair.key:
        missing = CHAIN if not pair.chain else KEY
        return f"has no {missing}; write the PEM of it there"
    fault = pair_fault(pair)
    return f"holds {fault}; write the PEM of a certificate and its key" if fault else _weak(pair)


def _weak(pair: KeyPair) -> str:
    """Keys that Envoy takes no certificate with."""
    key = _leaf(pair).public_key()
    match key:
        case rsa.RSAPublicKey() if key.key_size < _LEAST_BITS:
            return f"has an RSA key of {key.key_size} bits; Envoy takes {_LEAST_BITS} and more"
        case rsa.RSAPublicKey():
            return ""
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVES:
            return ""
        case _:
            return "has a kind of key that Envoy does not take; use RSA, or ECDSA on P-256"


def _names(pair: KeyPair) -> tuple[str, ...]:
    try:
        found = _leaf(pair).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(sorted({each.lower() for each in found.value.get_values_for_type(x509.DNSName)}))


def _leaf(pair: KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificates(pair.chain.encode())[0]
