"""Requests of a case, what is expected of them, and what was observed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from casekit.tokens import PLACE, signed

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")

Several = str | int | list[str | int]


class Expect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must be observed; what is left out is not looked at.  docs/cases.md tells each."""

    status: int | list[int] | None = None
    endpoint: str | list[str] | None = None
    backend: str | list[str] | None = None
    cluster: str | list[str] | None = None
    route: str | None = None
    method: str | None = None
    path: str | None = None
    host: str | None = None
    headers: dict[str, str | list[str] | None] = {}
    response_headers: dict[str, str | list[str] | None] = {}
    location: str | list[str] | None = None
    shares: dict[str, float] = {}
    closed: bool | None = None
    unresolved: str | None = None


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of requests.yaml."""

    expect: Expect
    get: str = ""
    head: str = ""
    post: str = ""
    put: str = ""
    patch: str = ""
    delete: str = ""
    options: str = ""
    tcp: str = ""
    udp: str = ""
    headers: dict[str, str | list[str]] = {}
    from_: str = msgspec.field(name="from", default="")
    via: str = ""
    token: dict[str, Any] | None = None
    """What a token claims, signed by `signer`: in the place of ``{token}`` in the URL or a header,
    else in authorization."""
    signer: str = "a"
    step: int | None = None
    """After how many of the steps it is sent; left out: after all."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return next((each.upper() for each in METHODS if getattr(self, each)), "GET")

    @property
    def url(self) -> str:
        """Where it goes."""
        bytes_to = (self.tcp and f"tcp://{self.tcp}") or (self.udp and f"udp://{self.udp}")
        written = bytes_to or getattr(self, self.method.lower())
        return str(written).replace(PLACE, self._signed)

    @property
    def _signed(self) -> str:
        return signed(self.token, self.signer) if self.token is not None else PLACE

    @property
    def header_pairs(self) -> tuple[tuple[str, str], ...]:
        """Its headers, one pair for each value."""
        pairs = [(name, each) for name, values in self.headers.items() for each in listed(values)]
        written = [str(getattr(self, self.method.lower())), *(value for _, value in pairs)]
        if self.token is not None and not any(PLACE in each for each in written):
            pairs.append(("authorization", f"Bearer {PLACE}"))
        return tuple((name, value.replace(PLACE, self._signed)) for name, value in pairs)


class Observed(msgspec.Struct, frozen=True):
    """What became of one request; what is None is not known to whoever observed."""

    status: int | None = None
    endpoint: str | None = None
    """``address:port`` of what answered; None if Envoy did."""
    backend: str | None = None
    cluster: str | None = None
    route: str | None = None
    method: str | None = None
    path: str | None = None
    host: str | None = None
    headers: tuple[tuple[str, str], ...] | None = None
    """As the endpoint got them, names in lower case."""
    response_headers: tuple[tuple[str, str], ...] | None = None
    location: str | None = None
    closed: bool = False
    unresolved: str | None = None
    share: float = 1.0


def listed(value: str | int | Sequence[str | int]) -> list[str]:
    """One value or several, as strings."""
    return [str(each) for each in ([value] if isinstance(value, str | int) else value)]


def mismatches(expect: Expect, observed: Observed) -> list[str]:
    """What one observation contradicts; where several values are expected, any will do."""
    return [
        *_unlike("status", expect.status, observed.status),
        *_unlike("endpoint", expect.endpoint, observed.endpoint),
        *_unlike("backend", expect.backend, observed.backend),
        *_unlike("cluster", expect.cluster, observed.cluster),
        *_unlike("route", expect.route, observed.route),
        *_unlike("method", expect.method, observed.method),
        *_unlike("path", expect.path, observed.path),
        *_unlike("host", expect.host, observed.host),
        *_unlike("location", expect.location, observed.location),
        *_unlike_headers("headers", expect.headers, observed.headers),
        *_unlike_headers("response_headers", expect.response_headers, observed.response_headers),
        *_unlike("unresolved", expect.unresolved, observed.unresolved),
        *_ended(expect, observed),
    ]


def _unlike(
    name: str, wanted: Several | list[int] | list[str] | None, found: object
) -> Iterator[str]:
    if wanted is not None and found is not None and str(found) not in listed(wanted):
        yield f"{name}: expected {wanted}, got {found}"


def _unlike_headers(
    name: str,
    wanted: dict[str, str | list[str] | None],
    found: tuple[tuple[str, str], ...] | None,
) -> Iterator[str]:
    for header, value in wanted.items() if found is not None else ():
        got = [each for key, each in found or () if key == header.lower()]
        if got != ([] if value is None else listed(value)):
            yield f"{name}.{header}: expected {value}, got {got or None}"


def _ended(expect: Expect, observed: Observed) -> Iterator[str]:
    if (expect.closed or False) != observed.closed:
        yield f"closed: expected {expect.closed or False}, got {observed.closed}"
    if expect.unresolved is None and observed.unresolved is not None:
        yield f"unresolved: {observed.unresolved}"
