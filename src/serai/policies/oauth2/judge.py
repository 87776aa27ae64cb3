"""What becomes of a request where callers log in, as far as it can be told without the keys."""

from __future__ import annotations

import re2

from serai.policies.feature import Asked, Judgement
from serai.policies.oauth2.log_in import Denied, LogIn

PROOF = "OauthHMAC"
"""The cookie that signs the others, as Envoy calls it."""


def judge(found: LogIn, asked: Asked) -> Judgement:
    """Only a proxy has the key that cookies are signed with."""
    bare, _, _ = asked.path.partition("?")
    cookies = asked.header("cookie") or ""
    if bare == found.log_out_path:
        return Judgement("logs out", status=302)
    if bare == found.redirect_path:
        return Judgement("an answer of the provider's, which only a proxy can judge")
    if PROOF in cookies:
        tokens = " and their tokens are good" if found.verified else ""
        return Judgement(f"cookies of a log-in; only a proxy can tell whether they hold{tokens}")
    if any(_matches(each, asked) for each in found.denied):
        return Judgement("not logged in, and not to be sent to log in", status=401)
    return Judgement(f"not logged in; sent to {found.authorization}", status=302)


def _matches(denied: Denied, asked: Asked) -> bool:
    value = asked.header(denied.name)
    if value is None:
        return False
    return bool(re2.fullmatch(denied.value, value)) if denied.regex else value == denied.value
