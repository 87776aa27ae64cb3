"""GatewayExtension.spec.oauth2.jwt -> what the tokens of who logged in must say.

Envoy keeps them in cookies, which its filter has made readable when those behind it see them.
"""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.gateway_extension import (
    OAuth2Provider,
    OAuth2Token,
    OAuth2Tokens,
)
from serai.api.meta import Key
from serai.model.issuers import Issuer
from serai.policies.feature import Context, Fault
from serai.policies.services import backend
from serai.policies.tokens.check import fault_in
from serai.policies.tokens.from_extension import claim_headers
from serai.policies.tokens.requirement import KeySource, Provider, Tokens
from serai.policies.tokens.url import parsed

ACCESS_COOKIE = "BearerToken"
ID_COOKIE = "IdToken"
"""As Envoy calls them where nobody else does."""


def verified(
    context: Context, key: Key, found: OAuth2Provider, issuer: Issuer | None, cluster: str
) -> tuple[Tokens, ...] | Fault:
    """Each token that is named, which must be there and be good; none where none is named.

    `issuer`: what the issuer tells of itself; `cluster`: of the log-in, where keys are fetched too
    unless another backend is named.
    """
    asked = found.jwt
    if asked is None or (asked.access_token is None and asked.id_token is None):
        return ()
    keys = _keys(context, key, found, asked, issuer, cluster)
    if isinstance(keys, Fault):
        return keys
    providers = tuple(_providers(found, asked, keys))
    wrong = _kept(found, asked) or next(filter(None, map(fault_in, providers)), None)
    return wrong or tuple(Tokens((each,), required=True) for each in providers)


def _keys(
    context: Context,
    key: Key,
    found: OAuth2Provider,
    asked: OAuth2Tokens,
    issuer: Issuer | None,
    cluster: str,
) -> KeySource | Fault:
    """Where the keys are fetched: as written, else where the issuer says."""
    text = asked.jwks_uri or (issuer.keys if issuer else "")
    if not text:
        known = found.issuer_uri and issuer is None
        words = f"{found.issuer_uri} has not told it yet" if known else "the issuer tells none"
        return Fault("", f"jwt.jwksURI is needed; {words}")
    url = parsed(text)
    if isinstance(url, Fault):
        return Fault("", f"jwt.jwksURI: {url.message}")
    at = backend(context, key, asked.jwks_backend_ref) if asked.jwks_backend_ref else cluster
    if isinstance(at, Fault):
        return Fault("", f"jwt.jwksBackendRef: {at.message}", at.reason)
    return KeySource(url=url.text, cluster=at)


def _kept(found: OAuth2Provider, asked: OAuth2Tokens) -> Fault | None:
    """What is in no cookie cannot be read."""
    cookies = found.cookies
    if cookies and asked.access_token and cookies.disable_access_token_set_cookie:
        return Fault(
            "", "jwt.accessToken needs the cookie that disableAccessTokenSetCookie forbids"
        )
    if cookies and asked.id_token and cookies.disable_id_token_set_cookie:
        return Fault("", "jwt.idToken needs the cookie that disableIDTokenSetCookie forbids")
    return None


def _providers(found: OAuth2Provider, asked: OAuth2Tokens, keys: KeySource) -> Iterator[Provider]:
    names = found.cookies.names if found.cookies else None
    if asked.access_token:
        cookie = (names and names.access_token) or ACCESS_COOKIE
        yield _provider(asked.access_token, keys, cookie, "accessToken")
    if asked.id_token:
        cookie = (names and names.id_token) or ID_COOKIE
        yield _provider(asked.id_token, keys, cookie, "idToken", found.issuer_uri or "")


def _provider(
    token: OAuth2Token, keys: KeySource, cookie: str, metadata: str, issuer: str = ""
) -> Provider:
    """`issuer` must have made it, where that is known: OpenID Connect Core 3.1.3.7.

    Of access tokens it is not asked; OAuth 2 says nothing of what is in them.
    """
    return Provider(
        issuer=issuer,
        keys=keys,
        audiences=token.audiences,
        cookies=(cookie,),
        forward=True,
        outputs=claim_headers(token.claims_to_headers),
        metadata=metadata,
    )
