"""Key sets as they are written, and what of them is passed on."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from serai.policies.feature import Fault
from serai.policies.tokens.keys import NOBODYS, NoKeys, key_set
from serai.policies.tokens.url import parsed

RSA = RSAKey.generate_key(2048, {"kid": "r"})
EC = ECKey.generate_key("P-384")
ED = OKPKey.generate_key("Ed25519")


def keys(text: str) -> list[dict[str, Any]]:
    found = key_set(text)
    assert isinstance(found, str), found
    listed: list[dict[str, Any]] = json.loads(found)["keys"]
    return listed


def test_only_public_parts_are_passed_on() -> None:
    private = {"keys": [each.as_dict(private=True) for each in (RSA, EC, ED)]}
    assert "d" in private["keys"][0]
    found = keys(json.dumps(private))
    assert [each["kty"] for each in found] == ["RSA", "EC", "OKP"]
    assert not {"d", "p", "q", "dp", "dq", "qi"} & {name for each in found for name in each}
    assert found[0]["kid"] == "r"


@pytest.mark.parametrize("key", [RSA, EC, ED])
def test_a_key_alone_and_pem_are_sets_of_one(key: RSAKey | ECKey | OKPKey) -> None:
    public = key.as_dict(private=False)
    [alone] = keys(json.dumps(public))
    [pem] = keys(key.as_pem(private=False).decode())
    assert {**alone, "kid": ""} == {**pem, "kid": ""}


def test_what_envoy_cannot_use_is_left_out() -> None:
    good = EC.as_dict(private=False)
    others = [
        {**RSA.as_dict(private=False), "use": "enc"},
        {**RSA.as_dict(private=False), "alg": "ES256"},
        {**good, "alg": "ES256"},
        OctKey.generate_key(256).as_dict(private=True),
        OKPKey.generate_key("X25519").as_dict(private=False),
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {**good, "kid": 7},
        "no key",
    ]
    assert len(keys(json.dumps({"keys": [*others, good]}))) == 1


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"keys": []}', '{"keys": 7}', "-----BEGIN PUBLIC KEY-----", "[" * 9999],
)
def test_a_text_without_keys_is_told(text: str) -> None:
    assert isinstance(key_set(text), NoKeys)


def test_nobody_has_the_key_in_place_of_unknown_ones() -> None:
    """Its x is the hash of a sentence, so that no private key was ever computed for it."""
    [key] = keys(NOBODYS)
    sentence = b"Serai: nobody has the key to this 0"
    x = base64.urlsafe_b64encode(hashlib.sha256(sentence).digest()).rstrip(b"=").decode()
    assert key["x"] == x
    assert key_set(NOBODYS) == NOBODYS


@pytest.mark.parametrize(
    "text",
    [
        "ftp://a/b",
        "a/b",
        "https://",
        "http://u:p@a/b",
        "http://a:99999/",
        "http://a/\r\nx",
        f"http://a/{'x' * 3000}",
        "http://[::1/",
    ],
)
def test_odd_urls_are_refused(text: str) -> None:
    assert isinstance(parsed(text), Fault)
