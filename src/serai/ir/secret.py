"""Certificates: what proxies show, and whom they trust; discovered one by one (SDS)."""

from __future__ import annotations

from serai.ir.origin import Origin, Value


class CertificateFiles(Value, frozen=True):
    """A certificate and its key, which a proxy reads from files, again when they are replaced."""

    name: str
    folder: str
    """Watched: what is renamed into it, or a link that is replaced, is read again."""
    chain: str
    key: str
    origin: Origin


class AuthorityFile(Value, frozen=True):
    """The certificates of those who sign others', likewise."""

    name: str
    folder: str
    certificates: str
    origin: Origin


class ServerCertificate(Value, frozen=True):
    """A certificate, those that vouch for it, and its key; all as PEM."""

    name: str
    chain: str
    key: str
    origin: Origin

    def __repr__(self) -> str:
        return f"ServerCertificate({self.name})"


class ClientAuthority(Value, frozen=True):
    """CA certificates that vouch for clients, as PEM."""

    name: str
    certificates: str
    origins: tuple[Origin, ...]


class Confidence(Value, frozen=True):
    """A text that filters of a proxy need and nobody else may see."""

    name: str
    text: str
    origin: Origin

    def __repr__(self) -> str:
        return f"Confidence({self.name})"


Secret = CertificateFiles | AuthorityFile | ServerCertificate | ClientAuthority | Confidence
