"""Routes that are chosen by what tokens claim.

A token is verified for a route, and only then is it known what it claims; so such a request is
routed twice.  A header of the request says nothing: whoever sends it wrote it.  What routes compare
with a header that policies write from tokens is therefore compared with the claim itself.

Istio: JWT claim based routing, ``@request.auth.claims``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from serai.ir.leaf import FailClosed, Leaf
from serai.ir.match import PAYLOAD, ClaimMatch, PathKind, RequestMatch, ValueMatch
from serai.ir.route import DirectResponse, Forward, Route, VirtualHost
from serai.policies import BY_NAME
from serai.policies.feature import Stage
from serai.policies.tokens import JWT_AUTH, REQUEST_AUTHENTICATION, requirement

PREFIX = "@request.auth.claims"
UNGUARDED = (
    "it is chosen by a token's claims, and other policies guard the routes that its requests"
    " come by before the token is verified; let the same policies guard them all"
)
_BRACKETS = re.compile(r"(\[[^\[\]]+\])+")
_CLOSED = 500
_UNKNOWN = 404


def claim_path(name: str) -> tuple[str, ...] | None:
    """The claim that a header's name stands for: ``@request.auth.claims.a.b`` or ``...[a][b]``."""
    rest = name.removeprefix(PREFIX) if name.startswith(PREFIX) else ""
    if _BRACKETS.fullmatch(rest):
        return tuple(rest[1:-1].split("]["))
    return tuple(rest[1:].split(".")) if rest.startswith(".") and all(rest[1:].split(".")) else None


def by_claims(host: VirtualHost) -> VirtualHost:
    """A virtual host whose routes are chosen by claims where they ask for any."""
    routes = tuple(_claiming(each) for each in host.routes)
    if not any(each.match.claims for each in routes):
        return host
    guarded = tuple(_guarded(each, _come_by(routes, place)) for place, each in enumerate(routes))
    return replace(host, routes=(*guarded, *_unclaimed(routes)), by_claims=True)


def _claiming(route: Route) -> Route:
    written = _written(route)
    headers: list[ValueMatch] = []
    claims: list[ClaimMatch] = []
    for each in route.match.headers:
        path = claim_path(each.name)
        found = (PAYLOAD, path) if path else written.get(each.name.lower())
        if found is None:
            headers.append(each)
        else:
            claims.append(ClaimMatch(found[1], each.value, each.regex, found[0]))
    if not claims:
        return route
    return replace(route, match=replace(route.match, headers=tuple(headers), claims=tuple(claims)))


def _written(route: Route) -> Mapping[str, tuple[str, tuple[str, ...]]]:
    """Whose claim endpoints get in headers, and which, by the header."""
    asked = requirement(_leaves(route))
    return {
        each.header: (provider.metadata, tuple(each.claim.split(".")))
        for provider in (asked.providers if asked else ())
        for each in provider.outputs
    }


def _leaves(route: Route) -> Iterator[Leaf]:
    yield from route.leaves
    if isinstance(route.action, Forward):
        for share in route.action.clusters:
            yield from share.leaves


def _come_by(routes: tuple[Route, ...], place: int) -> Iterator[Route]:
    """The routes that requests for the one at a place may come by before their tokens are verified.

    Those after it; and those before it that look at headers or parameters, of which a token that is
    verified may be taken away.
    """
    yield from (each for each in routes[:place] if each.match.headers or each.match.query)
    yield from routes[place + 1 :]


def _guarded(route: Route, passed: Iterable[Route]) -> Route:
    """A route that answers 500 where its requests could come by a route that lets more pass."""
    if not route.match.claims:
        return route
    mine = _guards(route)
    others = (each for each in passed if not each.match.claims and _meet(route.match, each.match))
    if all(_guards(each) == mine for each in others):
        return route
    why = Leaf("jwtAuth", FailClosed(_CLOSED, UNGUARDED), route.origin)
    return replace(route, action=DirectResponse(_CLOSED), leaves=(*route.leaves, why))


def _guards(route: Route) -> frozenset[tuple[str, object]]:
    """What must have let a request pass before the route is chosen again."""
    return frozenset(
        (each.feature, each.value)
        for each in _leaves(route)
        if BY_NAME[each.feature].fails_closed and acts_before(each)
    )


def acts_before(leaf: Leaf) -> bool:
    """Whether it acts before routes are chosen again; of AuthorizationPolicies only CUSTOM does."""
    if leaf.feature in {JWT_AUTH.name, REQUEST_AUTHENTICATION.name}:
        return True
    stage = BY_NAME[leaf.feature].stage
    return stage < Stage.AUTHN or (stage == Stage.AUTHN and bool(leaf.clusters))


def _meet(one: RequestMatch, other: RequestMatch) -> bool:
    """Whether both may match the same request, as far as is easily seen."""
    if one.method and other.method and one.method != other.method:
        return False
    paths = [each.path for each in (one, other)]
    if any(each.kind is PathKind.REGEX for each in paths):
        return True
    exact = [each.value for each in paths if each.kind is PathKind.EXACT]
    below = [each.value.rstrip("/") for each in paths if each.kind is PathKind.PREFIX]
    if len(exact) == 2:  # noqa: PLR2004
        return exact[0] == exact[1]
    whole = [*exact, *below]
    short, long = sorted((each.rstrip("/") for each in whole), key=len)
    return long == short or long.startswith(short + "/")


def _unclaimed(routes: tuple[Route, ...]) -> Iterator[Route]:
    """Where requests come by that nothing else takes, so that their tokens are verified."""
    if any(each.match == RequestMatch() for each in routes):
        return
    for each in routes:
        closed = any(isinstance(leaf.value, FailClosed) for leaf in each.leaves)
        if each.match.claims and not closed:
            match = replace(each.match, claims=())
            name = f"{each.name}/unclaimed"
            yield replace(each, name=name, match=match, action=DirectResponse(_UNKNOWN))
