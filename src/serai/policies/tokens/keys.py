"""Key sets: what users and issuers write -> public keys that Envoy takes, or why there are none.

One key set that Envoy refuses would cost all others, which come in the same resource.  So nothing
is passed on but what was read here, key by key, and written anew.  RFC 7517, RFC 7518, RFC 8037.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from serai.ir.origin import Value

MOST_KEYS = 100
SMALLEST_RSA_BITS = 1024
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_RSA = frozenset(f"{kind}{size}" for kind in ("RS", "PS") for size in (256, 384, 512))
_ENCODER = msgspec.json.Encoder(order="deterministic")

NOBODYS = (
    '{"keys":[{"alg":"ES256","crv":"P-256","kid":"serai: the keys are not known","kty":"EC",'
    '"x":"Sg9xl47Tj3AtNyXbUcjacdmbgnfz3sOXl875qjsmoDw",'
    '"y":"CLrfF6CWjOUMxpvSu70NFkbO6ZHBPZ8DbHO2rUB5_eE"}]}'
)
"""In place of keys that are not known: a point on the curve that is a hash of a sentence, so that
nobody has the key to it and no token is good.  Envoy takes no empty set."""


class NoKeys(Value, frozen=True):
    """Why there is no key in a text."""

    why: str


def key_set(text: str) -> str | NoKeys:
    """The public keys of a key set, of one key, or of a PEM block, as a key set written anew.

    What Envoy cannot use is left out, such as keys for encryption.  A private or symmetric key is
    never passed on: whoever reads it can make tokens.
    """
    if "-----BEGIN" in text:
        return _of_pem(text)
    try:
        read: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return NoKeys("it is not JSON")
    if not isinstance(read, dict):
        return NoKeys("it is not an object with keys")
    listed = read.get("keys", [read] if "kty" in read else None)
    if not isinstance(listed, list):
        return NoKeys("it has no list of keys")
    found = list(_usable(listed[:MOST_KEYS]))
    if not found:
        return NoKeys("it has no public key that signatures can be verified with")
    return _ENCODER.encode({"keys": found}).decode()


def _usable(listed: list[Any]) -> Iterator[Mapping[str, str]]:
    for raw in listed:
        if isinstance(raw, dict) and raw.get("use", "sig") == "sig":
            key = _public(raw)
            if key is not None:
                named = {name: raw[name] for name in ("kid", "alg") if name in raw}
                if all(isinstance(each, str) for each in named.values()):
                    yield {**key, **named}


def _public(raw: dict[str, Any]) -> Mapping[str, str] | None:
    from joserfc.errors import JoseError  # noqa: PLC0415  most start without any key
    from joserfc.jwk import ECKey, OKPKey, RSAKey  # noqa: PLC0415

    alg = raw.get("alg")
    try:
        match raw.get("kty"):
            case "RSA" if alg is None or alg in _RSA:
                rsa = RSAKey.import_key({each: raw[each] for each in ("kty", "n", "e")})
                if rsa.raw_value.key_size < SMALLEST_RSA_BITS:
                    return None
                return _plain(rsa.as_dict(private=False), "n", "e")
            case "EC" if alg in {None, _CURVES.get(str(raw.get("crv")))}:
                if raw.get("crv") not in _CURVES:
                    return None
                ec = ECKey.import_key({each: raw[each] for each in ("kty", "crv", "x", "y")})
                return _plain(ec.as_dict(private=False), "crv", "x", "y")
            case "OKP" if alg in {None, "EdDSA"} and raw.get("crv") == "Ed25519":
                okp = OKPKey.import_key({each: raw[each] for each in ("kty", "crv", "x")})
                return _plain(okp.as_dict(private=False), "crv", "x")
    except (JoseError, KeyError, TypeError, ValueError):
        return None
    return None


def _plain(found: Mapping[str, Any], *names: str) -> Mapping[str, str]:
    return {each: str(found[each]) for each in ("kty", *names)}


def _of_pem(text: str) -> str | NoKeys:
    from joserfc.errors import JoseError  # noqa: PLC0415
    from joserfc.jwk import ECKey, OKPKey, RSAKey  # noqa: PLC0415

    for kind in (RSAKey, ECKey, OKPKey):
        try:
            raw = kind.import_key(text).as_dict(private=False)
        except (JoseError, TypeError, ValueError, AttributeError):
            continue
        key = _public(dict(raw))
        if key is not None:
            return _ENCODER.encode({"keys": [key]}).decode()
    return NoKeys("it is not a public key in PEM")
