"""Which requests a route takes."""

from __future__ import annotations

from enum import StrEnum

from serai.ir.origin import Value

CONNECT = "CONNECT"


class PathKind(StrEnum):
    """How a path is compared.  PREFIX is by whole path elements, as the Gateway API has it."""

    EXACT = "exact"
    PREFIX = "prefix"
    REGEX = "regex"


class PathMatch(Value, frozen=True):
    """A path to compare with, without the query.  REGEX is RE2 and matches the whole path."""

    kind: PathKind = PathKind.PREFIX
    value: str = "/"


class ValueMatch(Value, frozen=True):
    """A header or query parameter to compare with; as text ``name=value``, or ``name~pattern``."""

    name: str
    value: str
    regex: bool = False

    def __str__(self) -> str:
        return f"{self.name}{'~' if self.regex else '='}{self.value}"


PAYLOAD = "payload"
"""Where filters look for what a caller's own token says, in dynamic metadata."""
TOKENS = "envoy.filters.http.jwt_authn"
"""Whose dynamic metadata that is, whatever the filter is called."""


class ClaimMatch(Value, frozen=True):
    """A claim of the request's token to compare with; of a list any entry."""

    path: tuple[str, ...]
    value: str
    regex: bool = False
    said_in: str = PAYLOAD
    """Which of the caller's tokens: the name of what it says in dynamic metadata."""


class RequestMatch(Value, frozen=True):
    """All of these must match."""

    path: PathMatch = PathMatch()
    method: str | None = None
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()
    claims: tuple[ClaimMatch, ...] = ()
    """Of a token that was verified."""
    grpc: bool = False
    """Only calls of gRPC, as their content-type says."""
    client_namespace: str = ""
    """Only clients whose identity is of this namespace; empty for all."""


def as_number(text: str) -> float | None:
    """The number that a text is, written as Envoy writes it; None if it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if text in {f"{number:g}", f"{number:.0f}"} else None


def is_connect(match: RequestMatch) -> bool:
    """Whether it takes requests for a tunnel, which have no path to compare with."""
    return match.method == CONNECT and match.path == PathMatch()
