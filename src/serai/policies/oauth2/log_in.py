"""A log-in, as neutral values."""

from __future__ import annotations

from collections.abc import Iterator

from serai.ir.origin import Value
from serai.policies.tokens.requirement import KeySource, Tokens

REDIRECT_PATH = "/oauth2/redirect"
USUAL_REDIRECT = f"%REQ(x-forwarded-proto)%://%REQ(:authority)%{REDIRECT_PATH}"
UNSAID = "DISABLED"
"""No SameSite of cookies."""


class Denied(Value, frozen=True):
    """A header of requests that are answered 401 where others are sent to log in."""

    name: str
    value: str
    regex: bool = False


class Cookies(Value, frozen=True):
    """How what a caller got is kept."""

    domain: str = ""
    token: str = ""
    id_token: str = ""
    same_site: str = UNSAID
    without: tuple[str, ...] = ()
    """Tokens that are not kept: access, id, refresh."""


class LogIn(Value, frozen=True):
    """Where callers log in, and what they get."""

    cluster: str
    authorization: str
    tokens: str
    client: str
    token_secret: str
    """The names of what is told in confidence; this, and what cookies are signed with."""
    hmac_secret: str
    redirect: str = USUAL_REDIRECT
    redirect_path: str = REDIRECT_PATH
    log_out_path: str = "/logout"
    end_session: str = ""
    scopes: tuple[str, ...] = ()
    forward_token: bool = False
    cookies: Cookies = Cookies()
    denied: tuple[Denied, ...] = ()
    verified: tuple[Tokens, ...] = ()
    """What the tokens that a caller got must say; all of these."""

    @property
    def sources(self) -> Iterator[KeySource]:
        """Where the keys are fetched that they are verified with."""
        return (each for tokens in self.verified for each in tokens.sources)
