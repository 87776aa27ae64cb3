"""Tokens judged without a proxy, as Envoy judges them."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from serai.ir.origin import Value
from serai.ir.route import HeaderMutations
from serai.policies.feature import Asked, Judgement
from serai.policies.tokens.requirement import ClaimHeader, KeySource, Provider, Tokens

UNAUTHORIZED = 401
FORBIDDEN = 403
SKEW_SECONDS = 60
"""By which clocks may differ.  Envoy: JwtProvider.clock_skew_seconds."""
MISSING = "there is no token"
_PARTS = 3
_ALGORITHMS = frozenset(
    f"{kind}{size}" for kind in ("RS", "PS", "ES") for size in (256, 384, 512)
) | {"EdDSA"}


class _Bad(Value, frozen=True):
    """Why a token is not good, and what is answered."""

    why: str
    status: int = UNAUTHORIZED


class _Found(Value, frozen=True):
    """A token, and where it was: a header or a parameter, or nothing that can be taken away."""

    text: str
    header: str = ""
    parameter: str = ""


def judge(tokens: Tokens, asked: Asked) -> Judgement:
    """What becomes of a request, by the tokens that it has."""
    if not tokens.providers or not asked.http:
        return Judgement("no token is asked for")
    reasons: list[_Bad] = []
    for provider in tokens.providers:
        found = list(_tokens(provider, asked))
        read = [_verified(provider, each.text, asked) for each in found]
        bad = next((each for each in read if isinstance(each, _Bad)), None)
        if bad is not None:
            reasons.append(bad)
        elif read and isinstance(read[-1], Mapping):
            return _good(tokens, provider, found, read[-1], asked.path)
    if reasons:
        return Judgement(reasons[-1].why, reasons[-1].status)
    if tokens.required:
        return Judgement(MISSING, UNAUTHORIZED)
    return Judgement(f"{MISSING}, and none is required", request=_taken(tokens, ()))


def _good(
    tokens: Tokens, provider: Provider, found: list[_Found], claims: Mapping[str, Any], path: str
) -> Judgement:
    who = "/".join(str(claims.get(each, "")) for each in ("iss", "sub"))
    headers = () if provider.forward else tuple(each.header for each in found if each.header)
    dropped = () if provider.forward else tuple(each.parameter for each in found if each.parameter)
    return Judgement(
        f"the token of {who} is good",
        request=_taken(tokens, headers, tuple(_written(provider, found, claims))),
        claims=_normalised(claims, provider.spaced),
        query=_rest(path, dropped) if dropped else None,
    )


def _rest(path: str, dropped: tuple[str, ...]) -> str:
    """The query without the tokens in it."""
    pairs = path.partition("?")[2].split("&")
    return "&".join(each for each in pairs if each.partition("=")[0] not in dropped)


def _taken(
    tokens: Tokens, headers: tuple[str, ...], written: tuple[tuple[str, str], ...] = ()
) -> HeaderMutations:
    """A client's own of what is written never pass, nor does a token that stays here."""
    own = (name for each in tokens.providers for name in each.written)
    return HeaderMutations(remove=tuple(dict.fromkeys((*own, *headers))), add=written)


def _written(
    provider: Provider, found: list[_Found], claims: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for output in provider.outputs:
        value = _text(_claimed(claims, output))
        if value:
            yield output.header, value
    if provider.payload_header:
        yield provider.payload_header, found[-1].text.split(".")[1]


def _claimed(claims: Mapping[str, Any], output: ClaimHeader) -> Any:
    found: Any = claims
    for name in output.claim.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _text(value: Any) -> str:
    """A claim in a header; a list or an object as JSON in base64."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str() | int():
            return str(value)
        case float():
            return f"{value:g}"
        case _:
            compact = json.dumps(value, separators=(",", ":"))
            return base64.b64encode(compact.encode()).decode()


def _normalised(claims: Mapping[str, Any], spaced: tuple[str, ...]) -> Mapping[str, Any]:
    return {
        name: value.split() if name in spaced and isinstance(value, str) else value
        for name, value in claims.items()
    }


def _tokens(provider: Provider, asked: Asked) -> Iterator[_Found]:
    """The tokens in the places where a provider looks, in the order in which it does."""
    headers, params, cookies = provider.places
    for each in headers:
        value = asked.header(each.name)
        if value is not None and each.prefix in value:
            yield _Found(value.partition(each.prefix)[2] if each.prefix else value, each.name)
    query = asked.path.partition("?")[2]
    pairs = [pair.partition("=") for pair in query.split("&")]
    for name in params:
        yield from (_Found(value, parameter=name) for each, _, value in pairs[:] if each == name)
    written = (each.strip().partition("=") for each in (asked.header("cookie") or "").split(";"))
    known = {name: value for name, _, value in written}
    yield from (_Found(known[name]) for name in cookies if known.get(name))


def _verified(provider: Provider, token: str, asked: Asked) -> Mapping[str, Any] | _Bad:
    parts = token.split(".")
    header, claims = (_object(each) for each in parts[:2]) if len(parts) == _PARTS else (None, None)
    if header is None or claims is None:
        return _Bad("what is there is not a token")
    if header.get("alg") not in _ALGORITHMS:
        return _Bad(f"a token signed by {header.get('alg')} is not taken")
    if provider.issuer and claims.get("iss") != provider.issuer:
        return _Bad(f"the token's issuer is {claims.get('iss')}")
    if wrong := _untimely(claims, asked.at):
        return _Bad(wrong)
    if wrong := _not_for_us(claims, provider.audiences):
        return _Bad(wrong, FORBIDDEN)
    held = asked.keys(provider.keys) if isinstance(provider.keys, KeySource) else provider.keys
    if not held:
        return _Bad(f"the keys of {provider.issuer or provider.name} are not known")
    signed = any(_signed(token, key, header) for key in msgspec.json.decode(held)["keys"])
    return claims if signed else _Bad("no key of the issuer has signed the token")


def _object(part: str) -> dict[str, Any] | None:
    try:
        text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _untimely(claims: Mapping[str, Any], at: float | None) -> str:
    expiry, begin = claims.get("exp"), claims.get("nbf")
    if at is None:
        return ""
    if isinstance(expiry, int | float) and at > expiry + SKEW_SECONDS:
        return "the token has expired"
    if isinstance(begin, int | float) and at + SKEW_SECONDS < begin:
        return "the token is not valid yet"
    return ""


def _not_for_us(claims: Mapping[str, Any], audiences: tuple[str, ...]) -> str:
    """Envoy compares audiences without the scheme of a URL and the slash at its end."""
    if not audiences:
        return ""
    named = claims.get("aud", [])
    listed = named if isinstance(named, list) else [named]
    if {_bare(str(each)) for each in listed} & {_bare(each) for each in audiences}:
        return ""
    return f"the token is for {', '.join(map(str, listed)) or 'nobody'}"


def _bare(audience: str) -> str:
    for scheme in ("http://", "https://"):
        audience = audience.removeprefix(scheme)
    return audience.removesuffix("/")


def _signed(token: str, key: Mapping[str, str], header: Mapping[str, Any]) -> bool:
    from joserfc import jws  # noqa: PLC0415  a start judges no token
    from joserfc.errors import JoseError, SecurityWarning  # noqa: PLC0415
    from joserfc.jwk import ECKey, OKPKey, RSAKey  # noqa: PLC0415

    kinds: Mapping[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    for name in ("kid", "alg"):
        if key.get(name) and header.get(name) and key[name] != header[name]:
            return False
    kind = kinds[key["kty"]]
    plain: dict[str, str | list[str]] = {
        name: value for name, value in key.items() if name not in {"kid", "alg"}
    }
    try:
        with warnings.catch_warnings():
            # That EdDSA has a newer name is for whoever signs.
            warnings.simplefilter("ignore", SecurityWarning)
            jws.deserialize_compact(token, kind.import_key(plain), algorithms=[header["alg"]])
    except (JoseError, ValueError, TypeError):
        return False
    return True
