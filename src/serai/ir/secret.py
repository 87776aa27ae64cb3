"""Certificates that a proxy reads from files, again whenever they are replaced."""

from __future__ import annotations

from serai.ir.origin import Origin, Value


class CertificateFiles(Value, frozen=True):
    """A certificate and its key."""

    name: str
    folder: str
    """Watched: what is renamed into it, or a link that is replaced, is read again."""
    chain: str
    key: str
    origin: Origin


class AuthorityFile(Value, frozen=True):
    """The certificates of those who sign others'."""

    name: str
    folder: str
    certificates: str
    origin: Origin


Secret = CertificateFiles | AuthorityFile
