"""What is asked of tokens, as neutral values."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Protocol, runtime_checkable

import msgspec

from serai.ir.match import PAYLOAD
from serai.ir.origin import Value

USUAL_SPACED = ("scope", "permission")
"""Claims that are lists written as one text, with spaces between.  Istio's."""


class KeySource(Value, frozen=True):
    """Where the keys of an issuer are fetched."""

    url: str
    """Of the key set; or of the issuer, whose configuration names it."""
    discovered: bool = False
    """OpenID Connect: the key set is named in ``/.well-known/openid-configuration``."""
    cluster: str = ""
    """What the URL's host is in the mesh; empty: it is looked up as any name is."""
    refresh_seconds: float = 0.0
    """0: as the operator says."""
    timeout_seconds: float = 5.0
    retry_seconds: float = 1.0
    """After the first failure; after each further one twice as long."""
    longest_retry_seconds: float = 60.0


class TokenHeader(Value, frozen=True):
    """A header that a token may be in, after a prefix."""

    name: str
    prefix: str = ""


USUAL_HEADERS = (TokenHeader("authorization", "Bearer "),)
USUAL_PARAMS = ("access_token",)


class ClaimHeader(Value, frozen=True):
    """A header that says what a token claims; names of nested claims have dots between."""

    header: str
    claim: str


class Provider(Value, frozen=True):
    """An issuer of tokens, and what becomes of those that are good."""

    issuer: str
    """Empty: any."""
    keys: str | KeySource
    """A key set (RFC 7517), or where it is fetched."""
    audiences: tuple[str, ...] = ()
    headers: tuple[TokenHeader, ...] = ()
    params: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()
    forward: bool = False
    """Whether endpoints get the token too."""
    outputs: tuple[ClaimHeader, ...] = ()
    payload_header: str = ""
    spaced: tuple[str, ...] = USUAL_SPACED
    metadata: str = PAYLOAD
    """What other filters know by what it says."""

    @property
    def places(self) -> tuple[tuple[TokenHeader, ...], tuple[str, ...], tuple[str, ...]]:
        """The headers, parameters and cookies that are looked at."""
        if self.headers or self.params or self.cookies:
            return self.headers, self.params, self.cookies
        return USUAL_HEADERS, USUAL_PARAMS, ()

    @property
    def name(self) -> str:
        """By content, so that equal ones are one."""
        return digest(self)

    @property
    def written(self) -> tuple[str, ...]:
        """The headers that endpoints get from tokens; a client's own never pass."""
        payload = (self.payload_header,) if self.payload_header else ()
        return (*payload, *(each.header for each in self.outputs))


class Tokens(Value, frozen=True):
    """A token of any of the providers; without one a request passes unless it is required."""

    providers: tuple[Provider, ...] = ()
    """None: nothing is asked, whatever less specific policies say."""
    required: bool = False

    @property
    def sources(self) -> Iterator[KeySource]:
        """Where keys are fetched."""
        return (each.keys for each in self.providers if isinstance(each.keys, KeySource))


class Requirement(Value, frozen=True):
    """All of these must let a request pass."""

    parts: tuple[Tokens, ...]
    clears: bool = False
    """Whether the route is chosen again by what a good token claims."""

    @property
    def name(self) -> str:
        """By content."""
        return digest(self)

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Of all parts, each once."""
        return tuple(dict.fromkeys(each for part in self.parts for each in part.providers))

    @property
    def sources(self) -> Iterator[KeySource]:
        """Where keys are fetched, each as often as it is asked for."""
        return (each for part in self.parts for each in part.sources)


@runtime_checkable
class Verifying(Protocol):
    """A policy that has tokens verified, beside what else it asks."""

    @property
    def verified(self) -> tuple[Tokens, ...]:
        """All of these."""


def added_up(found: tuple[Tokens, ...]) -> Tokens:
    """Several that apply together: any of their providers; required if one says so."""
    providers = dict.fromkeys(each for tokens in found for each in tokens.providers)
    return Tokens(tuple(providers), any(tokens.required for tokens in found))


def digest(value: Value) -> str:
    """A name for a value, by its content."""
    return blake2b(msgspec.json.encode(value), digest_size=8).hexdigest()
