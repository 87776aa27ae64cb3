"""How a listener ends TLS, or why it cannot."""

from __future__ import annotations

from typing import NamedTuple

from serai.api.gateway import Listener
from serai.api.meta import Key
from serai.attach.certificates import Certificates, ClientValidation, validation_of
from serai.attach.gateways import Proxy
from serai.attach.tls_options import TlsOptions, tls_options
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Reader
from serai.ir.origin import Value


class ListenerTls(Value, frozen=True):
    """What a listener that ends TLS shows and asks for."""

    certificates: tuple[Key, ...]
    """Secrets, those that can be used."""
    options: TlsOptions
    validation: ClientValidation | None = None
    """None: clients are not asked for a certificate."""


class TlsState(NamedTuple):
    """A listener's TLS and what is said of it."""

    tls: ListenerTls | None
    """None: it does not end TLS."""
    accepted: Verdict = ACCEPTED
    resolved: Verdict = ACCEPTED


def ended_tls(
    reader: Reader, certificates: Certificates, parent: Key, listener: Listener, proxy: Proxy
) -> TlsState:
    """The TLS of a listener, whose certificates its own parent names.

    Clients are checked as the Gateway says, also those of ListenerSets; of HTTPS listeners only.
    """
    asked = listener.tls
    if listener.protocol not in {"HTTPS", "TLS"} or (asked and asked.mode == "Passthrough"):
        return TlsState(None)
    shown = certificates.shown(reader, parent, asked.certificate_refs if asked else ())
    options = tls_options(asked.options if asked else {})
    accepted = ACCEPTED
    if isinstance(options, str):
        accepted, options = refused("UnsupportedValue", options), TlsOptions()
    frontend = proxy.tls.frontend if proxy.tls else None
    wanted = validation_of(frontend, listener) if listener.protocol == "HTTPS" else None
    if wanted is None:
        return TlsState(ListenerTls(shown.keys, options), accepted, shown.resolved)
    trusted = certificates.trusted(reader, proxy.key, wanted)
    if not trusted.keys and accepted.ok:
        accepted = refused("NoValidCACertificate", trusted.resolved.message)
    validation = ClientValidation(trusted.keys, wanted.mode == "AllowInsecureFallback")
    resolved = trusted.resolved if shown.resolved.ok else shown.resolved
    return TlsState(ListenerTls(shown.keys, options, validation), accepted, resolved)
