"""Which route comes first where several match.  Gateway API: HTTPRouteRule.matches, precedence."""

from __future__ import annotations

from serai.api.grpcroute import GRPCMethodMatch
from serai.ir.match import PathKind, RequestMatch
from serai.ir.origin import Value
from serai.ir.route import Route

_PATH_ORDER = {PathKind.EXACT: 0, PathKind.REGEX: 1, PathKind.PREFIX: 2}

Rank = tuple[int, int, bool, int, int, str, str, str, int, int]


class RankedRoute(Value, frozen=True):
    """A route and its place among others on the same host: the lowest rank is tried first."""

    rank: Rank
    route: Route

    @property
    def rule(self) -> int:
        """The place of its rule in the object."""
        return self.rank[-2]


class Age(Value, frozen=True):
    """What decides between equal matches: the older object, then the name."""

    created: str
    namespace: str
    name: str


def rank(match: RequestMatch, age: Age, rule: int, position: int) -> Rank:
    """The place of a match among others on the same host.

    The spec leaves open where regular expressions stand; here, after exact paths and before
    prefixes, since behind a prefix of `/` they would never be tried.
    """
    return (
        _PATH_ORDER[match.path.kind],
        -len(match.path.value.rstrip("/") or "/"),
        match.method is None,
        -len(match.headers),
        -len(match.query),
        age.created or "9999",
        age.namespace,
        age.name,
        rule,
        position,
    )


def rank_of_call(
    method: GRPCMethodMatch | None, headers: int, age: Age, rule: int, position: int
) -> Rank:
    """The place of a GRPCRoute's match: the longer service, the longer method, more headers."""
    return (
        -len(method.service or "") if method else 0,
        -len(method.method or "") if method else 0,
        method is None or method.type != "Exact",
        -headers,
        0,
        age.created or "9999",
        age.namespace,
        age.name,
        rule,
        position,
    )
