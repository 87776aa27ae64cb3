"""Callers that log in at an OpenID or OAuth2 provider.  Envoy: envoy.filters.http.oauth2."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import urlsplit

import re2
from msgspec.structs import replace

from serai.api.gateway_extension import OAuth2Header, OAuth2Provider
from serai.api.meta import Key
from serai.api.regex import regex_problem
from serai.api.syntax import is_header_name, is_hostname
from serai.api.traffic_policy import OAuth2Policy
from serai.ir.origin import Origin
from serai.ir.secret import Confidence
from serai.model.issuers import Issuer, is_endpoint, is_issuer
from serai.policies.feature import Compiled, Context, Fault, Feature, Stage
from serai.policies.oauth2.encode import encode
from serai.policies.oauth2.judge import judge
from serai.policies.oauth2.log_in import (
    REDIRECT_PATH,
    UNSAID,
    USUAL_REDIRECT,
    Cookies,
    Denied,
    LogIn,
)
from serai.policies.oauth2.verified import verified
from serai.policies.services import backend

TEXT_KEY = "client-secret"
OPENID = "openid"
"""The scope that makes OpenID Connect of OAuth 2."""
_OPERATOR = re2.compile(r"%REQ\([:\w-]+\)%")
SAME_SITE = {None: UNSAID, "Lax": "LAX", "Strict": "STRICT", "None": "NONE"}


def _compile(context: Context, spec: OAuth2Policy) -> Compiled | Fault:
    reference = spec.extension_ref
    key = Key("GatewayExtension", reference.namespace or context.policy.namespace, reference.name)
    extension = context.extension(reference.name, reference.namespace)
    if isinstance(extension, Fault):
        return replace(extension, path="extensionRef")
    found = extension.spec.oauth2
    if found is None:
        return Fault("extensionRef", f"{key} has no oauth2")
    issuer = context.issuer(found.issuer_uri) if found.issuer_uri else None
    found = _completed(found, issuer)
    wrong = _wrong(found)
    if wrong:
        return Fault("extensionRef", f"{key}: {wrong}")
    cluster = backend(context, key, found.backend_ref)
    if isinstance(cluster, Fault):
        return replace(cluster, path="extensionRef")
    secret = _secret(context, key, found)
    if isinstance(secret, Fault):
        return Fault("extensionRef", f"{key}: {secret.message}", secret.reason)
    tokens = verified(context, key, found, issuer, cluster)
    if isinstance(tokens, Fault):
        return Fault("extensionRef", f"{key}: {tokens.message}", tokens.reason)
    told = _confidences(key, secret)
    log_in = replace(_log_in(found, cluster, told), verified=tokens)
    called = dict.fromkeys((cluster, *(each.cluster for each in log_in.sources)))
    return Compiled(log_in, tuple(called), secrets=told)


def _completed(found: OAuth2Provider, told: Issuer | None) -> OAuth2Provider:
    """With the endpoints that the issuer tells of, where none are written."""
    if told is None:
        return found
    return replace(
        found,
        authorization_endpoint=found.authorization_endpoint or told.authorization,
        token_endpoint=found.token_endpoint or told.tokens,
        end_session_endpoint=found.end_session_endpoint or _ending(found, told),
    )


def _ending(found: OAuth2Provider, told: Issuer) -> str:
    """Only who logged in by OpenID can log out there."""
    return told.end_session if OPENID in found.scopes else ""


def _wrong(found: OAuth2Provider) -> str:
    """What cannot be done, in words; empty if all can."""
    if not found.authorization_endpoint or not found.token_endpoint:
        missing = "authorizationEndpoint and tokenEndpoint are needed"
        if found.issuer_uri and is_issuer(found.issuer_uri):
            return f"{missing}; {found.issuer_uri} has not told them yet"
        return f"{missing}, or an issuerURI with https"
    if not found.credentials.client_id:
        return "credentials.clientID is empty"
    ends = (found.authorization_endpoint, found.token_endpoint, found.end_session_endpoint)
    url = next((each for each in ends if each and not is_endpoint(each)), "")
    if url:
        return f'"{url[:80]}" is no https URL'
    if found.end_session_endpoint and OPENID not in found.scopes:
        return f"endSessionEndpoint needs the scope {OPENID}"
    return _wrong_redirect(found.redirect_uri) or _wrong_cookies(found) or _wrong_patterns(found)


def _wrong_redirect(uri: str | None) -> str:
    """Envoy's operators can be in it, for values of the request's headers only."""
    if uri is None:
        return ""
    if "%" in _OPERATOR.sub("x", uri) or not _path(uri).startswith("/"):
        return f'redirectURI "{uri[:80]}" is no URL with a path, which answers come to'
    return ""


def _path(redirect: str) -> str:
    try:
        return str(urlsplit(_OPERATOR.sub("x", redirect)).path)
    except ValueError:
        return ""


def _wrong_cookies(found: OAuth2Provider) -> str:
    cookies = found.cookies
    if cookies is None:
        return ""
    if cookies.same_site not in SAME_SITE:
        return f'"{cookies.same_site}" is not one of Lax, Strict, None'
    if cookies.domain and not is_hostname(cookies.domain):
        return f'"{cookies.domain}" is no domain'
    names = (cookies.names.access_token, cookies.names.id_token) if cookies.names else ()
    name = next((each for each in names if each and not is_header_name(each)), "")
    return f'"{name}" is no name of a cookie' if name else ""


def _wrong_patterns(found: OAuth2Provider) -> str:
    headers = found.deny_redirect.headers if found.deny_redirect else ()
    name = next((each.name for each in headers if not is_header_name(each.name)), None)
    patterns = (each.value for each in headers if each.type == "RegularExpression")
    wrong = next(filter(None, map(regex_problem, patterns)), "")
    return wrong if name is None else f'"{name}" is no name of a header'


def _secret(context: Context, key: Key, found: OAuth2Provider) -> str | Fault:
    """The client's secret, which is of the extension's namespace."""
    name = found.credentials.client_secret_ref.name
    secret = context.secret(name, source=key)
    if isinstance(secret, Fault):
        return secret
    text = secret.string_data.get(TEXT_KEY)
    if text is None and TEXT_KEY in secret.data:
        text = base64.b64decode(secret.data[TEXT_KEY]).decode(errors="replace")
    return (text or "").strip() or Fault("", f"Secret {name} has no {TEXT_KEY}")


def _confidences(key: Key, secret: str) -> tuple[Confidence, Confidence]:
    """The secret, and one made from it, so that all replicas sign cookies alike, forever."""
    name, origin = f"oauth2/{key.namespace}/{key.name}", Origin(key)
    signing = hmac.new(secret.encode(), f"serai {name} cookies".encode(), hashlib.sha256)
    return (
        Confidence(f"{name}/token", secret, origin),
        Confidence(f"{name}/hmac", signing.hexdigest(), origin),
    )


def _log_in(found: OAuth2Provider, cluster: str, told: tuple[Confidence, Confidence]) -> LogIn:
    redirect = found.redirect_uri or USUAL_REDIRECT
    path = _path(found.redirect_uri) if found.redirect_uri else REDIRECT_PATH
    headers = found.deny_redirect.headers if found.deny_redirect else ()
    return LogIn(
        cluster=cluster,
        authorization=found.authorization_endpoint or "",
        tokens=found.token_endpoint or "",
        client=found.credentials.client_id,
        token_secret=told[0].name,
        hmac_secret=told[1].name,
        redirect=redirect,
        redirect_path=path,
        log_out_path=found.logout_path,
        end_session=found.end_session_endpoint or "",
        scopes=found.scopes,
        forward_token=found.forward_access_token,
        cookies=_cookies(found),
        denied=tuple(_denied(each) for each in headers),
    )


def _denied(header: OAuth2Header) -> Denied:
    return Denied(header.name.lower(), header.value, header.type == "RegularExpression")


def _cookies(found: OAuth2Provider) -> Cookies:
    written = found.cookies
    if written is None:
        return Cookies()
    switches = {
        "access": written.disable_access_token_set_cookie,
        "id": written.disable_id_token_set_cookie,
        "refresh": written.disable_refresh_token_set_cookie,
    }
    return Cookies(
        domain=written.domain or "",
        token=(written.names.access_token or "") if written.names else "",
        id_token=(written.names.id_token or "") if written.names else "",
        same_site=SAME_SITE[written.same_site],
        without=tuple(name for name, off in switches.items() if off),
    )


OAUTH2 = Feature(
    name="oauth2",
    stage=Stage.AUTHN,
    compile=_compile,
    encode=encode,
    judge=judge,
    fails_closed=500,
)
