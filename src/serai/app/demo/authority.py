"""A certificate authority that lives as long as a demo does."""

from __future__ import annotations

import base64
import datetime as dt
import textwrap
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from serai.app.demo.steps import Trust
from serai.echo import Tls
from serai.server.authority import key_pem

_LIFE = dt.timedelta(days=1)
_SKEW = dt.timedelta(hours=1)


class Authority:
    """Signs the certificates that stand-ins present."""

    def __init__(self, name: str, folder: Path) -> None:
        """`folder` is where certificates are kept; it is made if need be."""
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        ours, subject = self._key.public_key(), _name(name)
        draft = (
            _draft(subject, subject, ours)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(ours), critical=False)
        )
        self.certificate = draft.sign(self._key, hashes.SHA256())

    @property
    def pem(self) -> str:
        """Its own certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, names: Sequence[str]) -> Tls:
        """A certificate for some host names, in files; each call gives another."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        draft = (
            _draft(_name(names[0]), self.certificate.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False
            )
            .add_extension(issuer, critical=False)
        )
        certificate = draft.sign(self._key, hashes.SHA256())
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{certificate.serial_number:x}.pem"
        path.touch(mode=0o600)
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key_pem(key))
        return Tls(path, path)

    def manifest(self, trust: Trust) -> str:
        """The object that has its certificate, as policies refer to it."""
        encoded = base64.b64encode(self.pem.encode()).decode()
        text = encoded if trust.kind == "Secret" else self.pem
        return (
            f"apiVersion: v1\nkind: {trust.kind}\n"
            f"metadata: {{name: {trust.name}, namespace: {trust.namespace}}}\n"
            f"data:\n  ca.crt: |\n{textwrap.indent(text, '    ')}\n"
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _draft(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFE)
    )
