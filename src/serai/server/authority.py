"""Our own certificate authority, and the certificate that xDS is served with.

What is kept is one value, from which the next follows: whoever keeps it decides who may renew it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=3650)
SERVING_LIFE = timedelta(days=90)
SPREAD = timedelta(days=1)
"""How long a new authority is only trusted, so that every Envoy has heard of it before it signs."""
SKEW = timedelta(minutes=10)
"""By how much a machine's clock may be behind ours."""
SIGNING = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
"""What the key of an authority is for."""


class Pair(msgspec.Struct, frozen=True):
    """A certificate and its private key, in PEM."""

    certificate: bytes
    key: bytes


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept."""

    authority: Pair
    """It signs."""
    serving: Pair
    coming: Pair | None = None
    """An authority that will sign."""
    gone: bytes = b""
    """The certificate of the one before, which still is trusted."""

    @property
    def trust(self) -> bytes:
        """The certificates to trust, in PEM."""
        coming = self.coming.certificate if self.coming else b""
        return self.authority.certificate + coming + self.gone


def settled(kept: Keys | None, hosts: tuple[str, ...], now: datetime) -> Keys:
    """What is to be kept from now on; the same where there is nothing to do.

    Each is renewed after two thirds of its life.  `hosts` are the names, or addresses, by which
    Envoys find us.
    """
    if kept is None:
        authority = _authority(now)
        return Keys(authority=authority, serving=_serving(authority, hosts, now))
    if kept.coming is not None and _began(kept.coming) + SKEW + SPREAD <= now:
        kept = Keys(
            authority=kept.coming,
            serving=_serving(kept.coming, hosts, now),
            gone=kept.authority.certificate,
        )
    elif kept.coming is None and _is_old(kept.authority, now):
        kept = msgspec.structs.replace(kept, coming=_authority(now))
    if _is_old(kept.serving, now) or _hosts(kept.serving) != set(hosts):
        kept = msgspec.structs.replace(kept, serving=_serving(kept.authority, hosts, now))
    return kept


def to_data(keys: Keys) -> dict[str, bytes]:
    """As a Secret keeps them."""
    coming = keys.coming or Pair(b"", b"")
    found = {
        "ca.crt": keys.authority.certificate,
        "ca.key": keys.authority.key,
        "tls.crt": keys.serving.certificate,
        "tls.key": keys.serving.key,
        "coming.crt": coming.certificate,
        "coming.key": coming.key,
        "gone.crt": keys.gone,
    }
    return {name: value for name, value in found.items() if value}


def from_data(data: Mapping[str, bytes]) -> Keys | None:
    """What a Secret keeps; None if it is of no use."""
    try:
        authority, serving, coming = (
            pair(data[f"{each}.crt"], data[f"{each}.key"]) if f"{each}.crt" in data else None
            for each in ("ca", "tls", "coming")
        )
        if authority is None or serving is None or not _hosts(serving):
            return None
        if any(each is not None and _signing(each) is None for each in (authority, coming)):
            return None
        gone = data.get("gone.crt", b"")
        keys = Keys(authority=authority, serving=serving, coming=coming, gone=gone)
        return keys if is_vouched_for(serving, keys.trust) else None
    except (KeyError, ValueError, x509.ExtensionNotFound):
        return None


def pair(certificate: bytes, key: bytes) -> Pair:
    """A certificate, or a chain of them, with its key.  ValueError unless they belong together."""
    leaf = x509.load_pem_x509_certificates(certificate)[0]
    try:
        found = load_pem_private_key(key, None)
    except (TypeError, UnsupportedAlgorithm) as error:  # it is encrypted, or of an unknown kind
        raise ValueError(f"the key cannot be used: {error}") from error
    if found.public_key() != leaf.public_key():
        raise ValueError("the key is not that of the certificate")
    return Pair(certificate, key)


def is_vouched_for(one: Pair, trust: bytes) -> bool:
    """Whether one of some authorities (PEM) has signed a certificate, or the last of its chain.

    If not, nobody who trusts only those believes it.  ValueError if there is no PEM.
    """
    authorities = x509.load_pem_x509_certificates(trust)
    chain = x509.load_pem_x509_certificates(one.certificate)
    for each, above in zip(chain, (*chain[1:], None), strict=True):
        if each in authorities or any(_has_signed(every, each) for every in authorities):
            return True
        if above is None or not _has_signed(above, each):
            return False
    return False


def _has_signed(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _began(one: Pair) -> datetime:
    return x509.load_pem_x509_certificate(one.certificate).not_valid_before_utc


def _is_old(one: Pair, now: datetime) -> bool:
    found = x509.load_pem_x509_certificate(one.certificate)
    began, ends = found.not_valid_before_utc, found.not_valid_after_utc
    return now >= began + (ends - began) * 2 / 3


def _hosts(one: Pair) -> set[str]:
    found = x509.load_pem_x509_certificate(one.certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(each.value) for each in names}


def _authority(now: datetime) -> Pair:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"serai xDS {now:%Y-%m-%d}")])
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(name, name, key, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(SIGNING, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def _serving(authority: Pair, hosts: Iterable[str], now: datetime) -> Pair:
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    signing = _signing(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "serai xDS")])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    names = x509.SubjectAlternativeName([_name(each) for each in hosts])
    builder = (
        _builder(name, issuer.subject, key, now, SERVING_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(names, critical=False)
        .add_extension(_signed_by(issuer), critical=False)
    )
    assert signing is not None  # noqa: S101  from_data takes no other
    return _pair(builder.sign(signing, hashes.SHA256()), key)


def _signing(authority: Pair) -> ec.EllipticCurvePrivateKey | None:
    """The key of an authority; None for one that we did not make."""
    found = load_pem_private_key(authority.key, None)
    return found if isinstance(found, ec.EllipticCurvePrivateKey) else None


def _signed_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    found = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found)


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - SKEW)
        .not_valid_after(now.astimezone(UTC) + life)
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(certificate.public_bytes(Encoding.PEM), key_pem(key))


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key in PEM, under no password: whoever keeps it lets nobody else read it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
