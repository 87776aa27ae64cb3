"""Identities of the mesh where there is no mesh: an authority of our own, on this machine.

Its key is in the state folder, which only its user can read: whoever runs Serai may be anybody
there.  Certificates are short-lived and replaced long before they end; Envoy watches the folder.
"""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from serai.envoy.state import PRIVATE, write_atomically
from serai.model.spiffe import spiffe_id
from serai.server.authority import SIGNING, key_pem

CHAIN, KEY, ROOT = "cert-chain.pem", "key.pem", "root-cert.pem"
"""As Istio calls these files."""
ROOT_LIFE = dt.timedelta(days=3650)
LIFE = dt.timedelta(hours=24)
_SKEW = dt.timedelta(minutes=5)
_DATA = "..data"
"""The link that is replaced to replace all files at once, as in a mounted Secret."""


class Authority:
    """Signs certificates of workloads."""

    def __init__(self, folder: Path, trust_domain: str) -> None:
        """The authority of a folder, which is made if there is none, or it has ended."""
        folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        self.root = folder / ROOT
        self._trust_domain = trust_domain
        found = _loaded(folder)
        if found is None:
            found = _new_root(trust_domain)
            write_atomically(folder / KEY, key_pem(found[1]))
            write_atomically(self.root, found[0].public_bytes(serialization.Encoding.PEM))
        self._certificate, self._key = found

    def identity(self, namespace: str, account: str) -> str:
        """A workload's SPIFFE identity."""
        return spiffe_id(self._trust_domain, f"{namespace}/{account}")

    def issue(self, folder: Path, identity: str, life: dt.timedelta = LIFE) -> None:
        """Put a new certificate for an identity into a folder, all of its files at once."""
        folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(key, identity, life)
        version = folder / f"..{secrets.token_hex(8)}"
        version.mkdir(mode=PRIVATE)
        chain = certificate.public_bytes(serialization.Encoding.PEM)
        for name, content in ((CHAIN, chain), (KEY, key_pem(key)), (ROOT, self.root.read_bytes())):
            write_atomically(version / name, content)
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(f"{_DATA}/{name}")
        before = (folder / _DATA).resolve() if (folder / _DATA).exists() else None
        link = folder / f"{version.name}.link"
        link.symlink_to(version.name)
        link.replace(folder / _DATA)
        if before is not None:
            _remove(before)

    def is_fresh(self, folder: Path, identity: str) -> bool:
        """Whether a folder has a certificate of ours for an identity with half its life left."""
        try:
            found = x509.load_pem_x509_certificate((folder / CHAIN).read_bytes())
            found.verify_directly_issued_by(self._certificate)
            names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (OSError, ValueError, TypeError, x509.ExtensionNotFound, InvalidSignature):
            return False
        left = found.not_valid_after_utc - _now()
        return identity in names.get_values_for_type(x509.UniformResourceIdentifier) and (
            left > (found.not_valid_after_utc - found.not_valid_before_utc) / 2
        )

    def _signed(
        self, key: ec.EllipticCurvePrivateKey, identity: str, life: dt.timedelta
    ) -> x509.Certificate:
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        named = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)])
        now = _now()
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + life)
            .add_extension(named, critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _loaded(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    try:
        certificate = x509.load_pem_x509_certificate((folder / ROOT).read_bytes())
        key = serialization.load_pem_private_key((folder / KEY).read_bytes(), None)
    except (OSError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.not_valid_after_utc < _now():
        return None
    return certificate, key


def _new_root(trust_domain: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, trust_domain)])
    now = _now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(SIGNING, critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
    folder.rmdir()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
