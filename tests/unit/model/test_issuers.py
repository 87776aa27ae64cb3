from __future__ import annotations

import json

import pytest

from serai.model.issuers import Issuer, is_issuer, issuer

URI = "https://login.example/realm"
TOLD = {
    "issuer": URI,
    "authorization_endpoint": "https://login.example/a",
    "token_endpoint": "https://login.example/t",
}


def test_an_issuer_is_believed_about_itself() -> None:
    document = json.dumps({**TOLD, "jwks_uri": "https://login.example/keys"}).encode()

    assert issuer(f"{URI}/", document) == Issuer(
        "https://login.example/a", "https://login.example/t", keys="https://login.example/keys"
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"issuer": "https://other.example"}, "another issuer"),
        ({"issuer": 3}, "no OpenID configuration"),
        ({"token_endpoint": ""}, "no token_endpoint"),
        ({"authorization_endpoint": "http://login.example/a"}, "no https URL"),
        ({"token_endpoint": "https://login.example/ t"}, "no https URL"),
        ({"token_endpoint": "javascript:alert(1)"}, "no https URL"),
        ({"jwks_uri": "http://login.example/keys"}, "no https URL"),
        ({"jwks_uri": "https://[::1/keys"}, "no https URL"),
        ({"token_endpoint": "https://login.example:port/t"}, "no https URL"),
    ],
)
def test_and_not_about_what_cannot_be(change: dict[str, object], why: str) -> None:
    assert why in str(issuer(URI, json.dumps({**TOLD, **change}).encode()))


@pytest.mark.parametrize(
    "uri",
    [
        *("http://a.example", "https://", "https://u@a.example", "https://a.example?q", "x"),
        *("https://[::1", "https://a.example:port", ""),
    ],
)
def test_only_plain_https_is_asked(uri: str) -> None:
    assert not is_issuer(uri)
