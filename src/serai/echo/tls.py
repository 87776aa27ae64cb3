"""TLS in front of echo servers: what they present, and what they say of a connection."""

from __future__ import annotations

import ssl
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

_names: weakref.WeakKeyDictionary[ssl.SSLObject, str] = weakref.WeakKeyDictionary()
"""The name that each client asked for, which Python does not keep."""


class Tls(msgspec.Struct, frozen=True):
    """Files in PEM."""

    certificate: Path
    """The certificate, and what leads to its root."""
    key: Path
    client_ca: Path | None = None
    """Client certificates are asked for, and must be by one of these; none is fine too."""


def server_context(tls: Tls, protocols: Sequence[str] = ()) -> ssl.SSLContext:
    """For a server that offers `protocols` by ALPN.  OSError or ssl.SSLError for bad files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    if tls.client_ca is not None:
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    if protocols:
        context.set_alpn_protocols(list(protocols))
    context.sni_callback = _remember
    return context


def agreed(connection: Any) -> dict[str, Any] | None:
    """What was agreed on a connection, in the words of the conformance suite's server.

    `connection` is a transport's ``ssl_object``; None comes of None.
    """
    if not isinstance(connection, ssl.SSLObject):
        return None
    cipher = connection.cipher()
    certificate = connection.getpeercert(binary_form=True)
    return {
        "version": connection.version() or "",
        "serverName": _names.get(connection, ""),
        "negotiatedProtocol": connection.selected_alpn_protocol() or "",
        "cipherSuite": cipher[0] if cipher else "",
        "peerCertificates": [ssl.DER_cert_to_PEM_cert(certificate)] if certificate else [],
    }


def _remember(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
    if name is not None:
        _names[connection] = name
