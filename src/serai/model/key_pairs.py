"""Certificates that servers show, read from Secrets and checked once, whoever refers to them.

What Envoy would refuse is found here, as it would refuse the whole listener.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from serai.api.core import Secret
from serai.api.meta import Key
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.ir.origin import Value
from serai.model.pem import CHAIN, KEY, KeyPair, pair_fault, value_of

if TYPE_CHECKING:
    from cryptography import x509

TLS = "kubernetes.io/tls"
_LEAST_BITS = 2048
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})


READ = "certificates of secrets"
"""The collection of all Secrets as certificates, whatever the time."""


class Window(Value, frozen=True):
    """From when to when a certificate is valid, in seconds since 1970."""

    start: float
    end: float

    def fault(self, now: float) -> str:
        """What is wrong with it at a moment; empty if nothing is."""
        if now < self.start:
            return f"is not valid before {_shown(self.start)}; see the clock of who issued it"
        if now >= self.end:
            return f"expired at {_shown(self.end)}; renew it"
        return ""


class CheckedPair(Value, frozen=True):
    """A Secret as the certificate of a server."""

    pair: KeyPair | None
    """None: it cannot be used."""
    names: tuple[str, ...] = ()
    """The hosts that it is for, in small letters."""
    fault: str = ""
    """What is wrong with it, and what to do.

    What is wrong with the time alone is told, and the pair is used all the same: whether a
    certificate is good enough is for the clients to say, and to show none helps nobody.
    """
    window: Window | None = None


def key_pairs(
    graph: Graph, secrets: Node[Key, Secret], untimely: Node[Key, str]
) -> Derived[Key, CheckedPair]:
    """Every Secret, as a certificate; `untimely` is what is wrong with the time of each."""

    def timely(reader: Reader, key: Key, found: CheckedPair) -> CheckedPair:
        late = reader.get(untimely, key) if found.pair else None
        return replace(found, fault=f"{key} {late}") if late else found

    return mapped(graph, "key pairs", _read(graph, secrets), timely)


def _read(graph: Graph, secrets: Node[Key, Secret]) -> Derived[Key, CheckedPair]:
    def checked(_: Reader, key: Key, secret: Secret) -> CheckedPair:
        fault = _type_fault(secret)
        pair = KeyPair(value_of(secret, CHAIN), value_of(secret, KEY))
        fault = fault or _fault(pair)
        if fault:
            return CheckedPair(None, fault=f"{key} {fault}")
        return CheckedPair(pair, _names(pair), window=_window(pair))

    return mapped(graph, READ, secrets, checked)


def _window(pair: KeyPair) -> Window:
    leaf = _leaf(pair)
    return Window(leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp())


def _shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


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
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415

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
    from cryptography import x509  # noqa: PLC0415

    try:
        found = _leaf(pair).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(sorted({each.lower() for each in found.value.get_values_for_type(x509.DNSName)}))


def _leaf(pair: KeyPair) -> x509.Certificate:
    from cryptography import x509  # noqa: PLC0415  most start without any

    return x509.load_pem_x509_certificates(pair.chain.encode())[0]
