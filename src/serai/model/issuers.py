"""What issuers of tokens tell of themselves.  OpenID Connect Discovery 1.0, section 4."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

import msgspec

from serai.ir.origin import Value

LARGEST_BYTES = 65_536
"""Of a document; those of real issuers have a few thousand."""


class Issuer(Value, frozen=True):
    """Where an issuer is asked for what."""

    authorization: str = ""
    tokens: str = ""
    end_session: str = ""
    keys: str = ""
    """The set of keys that its tokens are signed with."""


class _Document(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    end_session_endpoint: str = ""
    jwks_uri: str = ""


def document_of(uri: str) -> str:
    """Where an issuer's document is."""
    return f"{uri.rstrip('/')}/.well-known/openid-configuration"


def is_issuer(uri: str) -> bool:
    """Whether a text is the URI of an issuer, which may be asked."""
    found = _split(uri)
    if found is None:
        return False
    plain = not (found.query or found.fragment or found.username)
    return found.scheme == "https" and bool(found.hostname) and plain


def issuer(uri: str, document: bytes) -> Issuer | str:
    """What a document tells; or why it is not believed, in words."""
    try:
        found = msgspec.json.decode(document, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"it is no OpenID configuration: {error}"
    if found.issuer.rstrip("/") != uri.rstrip("/"):
        return f"it is of another issuer, {found.issuer[:80]}"
    endpoints = (
        found.authorization_endpoint,
        found.token_endpoint,
        found.end_session_endpoint,
        found.jwks_uri,
    )
    if not endpoints[0] or not endpoints[1]:
        return "it has no authorization_endpoint or no token_endpoint"
    wrong = next((each for each in endpoints if each and not is_endpoint(each)), "")
    return f"{wrong[:80]} is no https URL" if wrong else Issuer(*endpoints)


def is_endpoint(url: str) -> bool:
    """Whether a text is a URL that callers can be sent to: printable, and https."""
    found = _split(url)
    if found is None or not url.isascii() or not url.isprintable() or " " in url:
        return False
    return found.scheme == "https" and bool(found.hostname)


def _split(url: str) -> SplitResult | None:
    """The parts of a URL; None where it has none, such as with half an IPv6 address."""
    try:
        found = urlsplit(url)
        found.port  # noqa: B018  it is looked at only when it is asked for
    except ValueError:
        return None
    return found
