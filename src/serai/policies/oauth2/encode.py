"""A log-in -> Envoy's filter, and the changes that its tokens make to requests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from serai.policies.feature import Encoded, Place, Stage
from serai.policies.oauth2.log_in import UNSAID, Denied, LogIn
from serai.policies.tokens.encode import encode_tokens
from serai.policies.tokens.requirement import added_up
from serai.proto.envoy import OAuth2

FILTER = "envoy.filters.http.oauth2"
TIMEOUT_SECONDS = 5.0
COOKIES = (
    "bearer_token",
    "oauth_hmac",
    "oauth_expires",
    "id_token",
    "refresh_token",
    "oauth_nonce",
    "code_verifier",
)


def encode(found: LogIn) -> Encoded:
    """What runs for a route; who verifies the tokens comes after it (serai.policies.tokens)."""
    config: dict[str, Any] = {
        "token_endpoint": {
            "uri": found.tokens,
            "cluster": found.cluster,
            "timeout": timedelta(seconds=TIMEOUT_SECONDS),
        },
        "authorization_endpoint": found.authorization,
        "credentials": {
            "client_id": found.client,
            "token_secret": _told(found.token_secret),
            "hmac_secret": _told(found.hmac_secret),
            "cookie_names": {
                "bearer_token": found.cookies.token,
                "id_token": found.cookies.id_token,
            },
            "cookie_domain": found.cookies.domain,
        },
        "redirect_uri": found.redirect,
        "redirect_path_matcher": {"path": {"exact": found.redirect_path}},
        "signout_path": {"path": {"exact": found.log_out_path}},
        "end_session_endpoint": found.end_session,
        "forward_bearer_token": found.forward_token,
        "auth_scopes": found.scopes,
        "use_refresh_token": {"value": True},
        "deny_redirect_matcher": [_header(each) for each in found.denied],
        **{f"disable_{name}_token_set_cookie": True for name in found.cookies.without},
    }
    if found.cookies.same_site != UNSAID:
        site = {"same_site": found.cookies.same_site}
        config["cookie_configs"] = {f"{name}_cookie_config": site for name in COOKIES}
    written = encode_tokens(added_up(found.verified))
    also = (replace(written, place=Place(Stage.TOKENS)),) if written.filters else ()
    return Encoded(filters=((FILTER, OAuth2(config=config)),), also=also)


def _told(name: str) -> dict[str, Any]:
    """Told over the same stream as all else.  Envoy: SdsSecretConfig."""
    return {"name": name, "sds_config": {"ads": {}, "resource_api_version": "V3"}}


def _header(denied: Denied) -> dict[str, Any]:
    if denied.regex:
        return {"name": denied.name, "string_match": {"safe_regex": {"regex": denied.value}}}
    return {"name": denied.name, "string_match": {"exact": denied.value}}
