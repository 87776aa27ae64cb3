"""From a route configuration to the route that takes a request."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from serai.ir.match import PathKind, RequestMatch
from serai.ir.route import Route, RouteConfiguration, VirtualHost
from serai.trace.match import Facts, mismatch, shown
from serai.trace.outcome import Answered, Other, Step
from serai.trace.rewrite import without_port

_FEW = 4
_KINDS = {PathKind.EXACT: "an exact path", PathKind.REGEX: "a regex", PathKind.PREFIX: "a prefix"}


def virtual_host(
    routes: RouteConfiguration, authority: str, steps: list[Step]
) -> VirtualHost | None:
    """The virtual host of a request: the exact name, the longest wildcard, else `*`.

    Case and port make no difference.  Adds to `steps`.  Envoy: VirtualHost.domains.
    """
    by_domain = {domain: host for host in routes.virtual_hosts for domain in host.domains}
    name = without_port(authority).lower()
    wild = [each for each in by_domain if each.startswith("*.") and _covers(each, name)]
    wild.sort(key=len, reverse=True)
    candidates = [each for each in (name, *wild, "*") if each in by_domain]
    if not candidates:
        others = tuple(Other(each, f"is not {name}") for each in islice(by_domain, _FEW))
        steps.append(Step("host", "none", f"no virtual host is for {name}", others=others))
        return None
    chosen = candidates[0]
    others = tuple(Other(each, "is less specific") for each in candidates[1:])
    steps.append(Step("host", chosen, f"the most specific for {name}", None, others))
    return by_domain[chosen]


def _covers(wildcard: str, name: str) -> bool:
    return name.endswith(wildcard[1:]) and len(name) > len(wildcard) - 1


def route(host: VirtualHost, facts: Facts, steps: list[Step]) -> Route | Answered:
    """The first route that matches.  Adds to `steps`, with some of those that lost."""
    lost: list[Other] = []
    for position, each in enumerate(host.routes):
        why = mismatch(each.match, facts)
        if why:
            lost.append(Other(described(each), why))
            continue
        behind = _also(each, host.routes[position + 1 :], facts)
        steps.append(
            Step(
                what="route",
                found=described(each),
                why=f"{shown(each.match)} matches{_those_before(position)}",
                origin=each.origin,
                others=(*lost[:_FEW], *behind),
            )
        )
        return each
    why = "no route matches" if host.routes else "there are no routes for this host"
    steps.append(Step("route", "none", why, others=tuple(lost[:_FEW])))
    return Answered(404, "no_route", f"{why}: {facts.method} {facts.path}")


def _those_before(count: int) -> str:
    if count == 0:
        return ""
    return ", 1 other does not" if count == 1 else f", {count} others do not"


def described(found: Route) -> str:
    """A route as a person knows it: the object, and the place in it."""
    key = found.origin.key
    if key.kind != "HTTPRoute":
        return f"{found.name} route of {key}"
    rule = found.origin.path.removeprefix("spec.rules[").removesuffix("]")
    position = found.name.rpartition("/")[2]
    match = "" if position == "0" else f", match {position}"
    return f"{key} rule {rule}{match}"


def _also(winner: Route, later: Iterable[Route], facts: Facts) -> tuple[Other, ...]:
    matching = (each for each in later if not mismatch(each.match, facts))
    return tuple(
        Other(described(each), f"also matches, but {_behind(winner, each)}")
        for each in islice(matching, _FEW)
    )


def _behind(winner: Route, loser: Route) -> str:
    """Why one route comes after another, in the order of the Gateway API's precedence."""
    won, lost = winner.match, loser.match
    if won.client_namespace and not lost.client_namespace:
        return "the caller's namespace has routes of its own"
    if loser.origin.key.kind != "HTTPRoute":
        return "it is what is left over"
    if won.path.kind is not lost.path.kind:
        return f"{_KINDS[won.path.kind]} comes before {_KINDS[lost.path.kind]}"
    return _finer(won, lost) or "it is younger, or later in the order of names"


def _finer(won: RequestMatch, lost: RequestMatch) -> str:
    if len(won.path.value.rstrip("/")) > len(lost.path.value.rstrip("/")):
        return "its path is shorter"
    if won.method and not lost.method:
        return "it asks for no method"
    if len(won.headers) > len(lost.headers):
        return "it asks for fewer headers"
    return "it asks for fewer query parameters" if len(won.query) > len(lost.query) else ""
