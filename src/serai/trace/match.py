"""Whether a route takes a request, and if not, why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import re2

from serai.ir.match import (
    CONNECT,
    ClaimMatch,
    PathKind,
    PathMatch,
    RequestMatch,
    ValueMatch,
    as_number,
    is_connect,
)
from serai.ir.origin import Value
from serai.trace.outcome import Headers
from serai.trace.request import Way


class Facts(Value, frozen=True):
    """A request as routes see it."""

    method: str
    authority: str
    path: str
    """Normalised, with the query."""
    headers: Headers
    """Names in lower case."""
    received_scheme: str
    """http or https, as x-forwarded-proto says, which Envoy adds where it is missing."""
    principal: str | None
    trust_domains: tuple[str, ...]
    way: Way
    claims: Mapping[str, Any] = {}
    """What a token says that was verified."""
    keys: Callable[[Any], str] = lambda _: ""
    """The keys that were fetched from somewhere, as a key set; empty: not known."""
    at: float | None = None
    """When it is sent, in seconds since the epoch; None: tokens do not expire."""

    @property
    def bare_path(self) -> str:
        """Without the query."""
        return self.path.partition("?")[0]

    @property
    def is_grpc(self) -> bool:
        """Whether it is a call of gRPC, as Envoy sees it."""
        kind = next(iter(self.header("content-type")), "")
        return kind == "application/grpc" or kind.startswith(
            ("application/grpc+", "application/grpc;")
        )

    def header(self, name: str) -> tuple[str, ...]:
        """Every value of a header.  `host` is the authority."""
        if name.lower() == "host":
            return (self.authority,)
        found = tuple(value for each, value in self.headers if each == name.lower())
        if not found and name.lower() == "x-forwarded-proto":
            return (self.received_scheme,)
        return found

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter, as written; Envoy does not decode it."""
        for pair in self.path.partition("?")[2].split("&"):
            each, _, value = pair.partition("=")
            if each == name:
                return value
        return None


def mismatch(match: RequestMatch, facts: Facts) -> str:
    """Why a request is not matched; empty if it is."""
    if elsewhere := _aims_elsewhere(match, facts):
        return elsewhere
    for header in match.headers:
        # Several values are compared one by one, and one is enough.
        if not any(_value_matches(header, value) for value in facts.header(header.name)):
            return f"header {header} is missing"
    for parameter in match.query:
        found = facts.parameter(parameter.name)
        if found is None or not _value_matches(parameter, found):
            return f"query parameter {parameter} is missing"
    if match.grpc and not facts.is_grpc:
        return "it is no call of gRPC"
    for claim in match.claims:
        if not _is_claimed(claim, facts.claims):
            return f"no token claims {_shown_claim(claim)}"
    return _not_a_client(match.client_namespace, facts)


def _aims_elsewhere(match: RequestMatch, facts: Facts) -> str:
    if facts.method == CONNECT and not is_connect(match):
        return "a CONNECT has no path: only a match of its method takes it"
    if not _path_matches(match.path, facts.bare_path):
        return f"path {facts.bare_path} is not {shown_path(match.path)}"
    if match.method is not None and match.method != facts.method:
        return f"method is not {match.method}"
    return ""


def shown_path(match: PathMatch) -> str:
    """A path match in words."""
    if match.kind is PathKind.REGEX:
        return f"regex {match.value}"
    return f"{match.value}" if match.kind is PathKind.EXACT else f"{match.value} or below"


def shown(match: RequestMatch) -> str:
    """A match in words."""
    words = [match.method or "", shown_path(match.path)]
    words += [f"header {each}" for each in match.headers]
    words += [f"query {each}" for each in match.query]
    words += [f"claim {_shown_claim(each)}" for each in match.claims]
    if match.client_namespace:
        words.append(f"clients of {match.client_namespace}")
    return " ".join(word for word in words if word)


def full_match(pattern: str, text: str) -> bool:
    """Whether a regular expression of RE2 matches the whole of a text."""
    return re2.fullmatch(pattern, text) is not None


def _path_matches(match: PathMatch, path: str) -> bool:
    match match.kind:
        case PathKind.EXACT:
            return path == match.value
        case PathKind.REGEX:
            return full_match(match.value, path)
        case PathKind.PREFIX:
            whole = match.value.rstrip("/")
            return path == whole or path.startswith(whole + "/")


def _value_matches(match: ValueMatch, value: str) -> bool:
    return full_match(match.value, value) if match.regex else value == match.value


def _is_claimed(match: ClaimMatch, claims: Mapping[str, Any]) -> bool:
    found: Any = claims
    for name in match.path:
        found = found.get(name) if isinstance(found, Mapping) else None
    match found:
        case bool():
            return not match.regex and match.value == str(found).lower()
        case int() | float():
            return not match.regex and as_number(match.value) == found
    listed = found if isinstance(found, list) else [found]
    texts = [each for each in listed if isinstance(each, str)]
    if match.regex:
        return any(full_match(match.value, each) for each in texts)
    return match.value in texts


def _shown_claim(match: ClaimMatch) -> str:
    return f"{'.'.join(match.path)}{'~' if match.regex else '='}{match.value}"


def _not_a_client(namespace: str, facts: Facts) -> str:
    if not namespace:
        return ""
    prefixes = tuple(f"spiffe://{each}/ns/{namespace}/" for each in facts.trust_domains)
    if facts.principal is not None and facts.principal.startswith(prefixes):
        return ""
    return f"the caller is {facts.principal or 'nobody'}, not of namespace {namespace}"
