"""Tokens for cases, signed with the keys that RFC 8037 and RFC 7515 publish as examples."""

from __future__ import annotations

import json
import warnings
from functools import cache
from typing import Any

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey

Key = OKPKey | ECKey
PLACE = "{token}"
_KEYS: dict[str, tuple[str, Key]] = {
    "a": (
        "EdDSA",
        OKPKey.import_key(
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            }
        ),
    ),
    "b": (
        "ES256",
        ECKey.import_key(
            {
                "kty": "EC",
                "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
            }
        ),
    ),
}


def signed(claims: dict[str, Any], signer: str) -> str:
    """A token with these claims; each time the same."""
    return _signed(json.dumps(claims), signer)


@cache
def _signed(claims: str, signer: str) -> str:
    algorithm, key = _KEYS[signer]
    header = {"alg": algorithm, "kid": signer, "typ": "JWT"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return jws.serialize_compact(header, claims.encode(), key, algorithms=[algorithm])
