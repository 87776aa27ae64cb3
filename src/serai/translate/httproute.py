"""HTTPRoute -> routes, the same for gateways and waypoints."""

from __future__ import annotations

from serai.api.httproute import HTTPRoute, HTTPRouteMatch, HTTPValueMatch
from serai.api.meta import Key
from serai.api.regex import regex_problem
from serai.api.validate_filters import HTTP_FILTERS
from serai.backends import Invalid
from serai.ir.match import PathKind, PathMatch, RequestMatch, ValueMatch
from serai.translate.order import Age, RankedRoute, rank
from serai.translate.rules import (
    CompiledRoute,
    CompiledRule,
    Dropped,
    LeavesOf,
    Resolve,
    RuleSettings,
    resolved,
)

_SETTINGS = RuleSettings(frozenset(HTTP_FILTERS), unavailable=500)
_PATH_KINDS = {
    "Exact": PathKind.EXACT,
    "PathPrefix": PathKind.PREFIX,
    "RegularExpression": PathKind.REGEX,
}


def compile_http(
    key: Key,
    route: HTTPRoute,
    resolve: Resolve,
    leaves: LeavesOf,
    clients: str = "",
) -> CompiledRoute:
    """Compile every rule.  `clients` limits them to the clients of a namespace."""
    age = Age(route.metadata.creation_timestamp or "", key.namespace, key.name)
    routes: list[RankedRoute] = []
    invalid: list[tuple[str, Invalid]] = []
    dropped: list[Dropped] = []
    for index, rule in enumerate(route.spec.rules):
        compiled = CompiledRule(key, index, rule, resolve, leaves(rule), _SETTINGS)
        invalid += compiled.invalid
        dropped += compiled.dropped
        for position, match in enumerate(rule.matches or (HTTPRouteMatch(),)):
            problem = _match_problem(match)
            if problem:
                path = f"{compiled.path}.matches[{position}]"
                words = f"Dropped Rule {compiled.name}, match {position}: {problem}"
                dropped.append(Dropped(path, words))
                continue
            wanted = _request_match(match, clients)
            built = compiled.route(wanted, position)
            routes.append(RankedRoute(rank(wanted, age, index, position), built))
    return CompiledRoute(
        tuple(routes), resolved(invalid), tuple(invalid), tuple(dropped), created=age.created
    )


def _request_match(match: HTTPRouteMatch, clients: str) -> RequestMatch:
    return RequestMatch(
        path=PathMatch(_PATH_KINDS[match.path.type], match.path.value),
        method=match.method,
        headers=value_matches(match.headers, lower=True),
        query=value_matches(match.query_params, lower=False),
        client_namespace=clients,
    )


def value_matches(found: tuple[HTTPValueMatch, ...], *, lower: bool) -> tuple[ValueMatch, ...]:
    """Of several entries for one name only the first counts."""
    first: dict[str, ValueMatch] = {}
    for each in found:
        name = each.name.lower() if lower else each.name
        first.setdefault(name, ValueMatch(name, each.value, each.type == "RegularExpression"))
    return tuple(first.values())


def regexes(matches: tuple[HTTPValueMatch, ...]) -> list[str]:
    """The regular expressions among the values to compare with."""
    return [each.value for each in matches if each.type == "RegularExpression"]


def _match_problem(match: HTTPRouteMatch) -> str:
    patterns = regexes((*match.headers, *match.query_params))
    if match.path.type == "RegularExpression":
        patterns.append(match.path.value)
    elif "?" in match.path.value:
        return f'path "{match.path.value}" has a query; use queryParams for what follows the ?'
    return next((problem for each in patterns if (problem := regex_problem(each))), "")
