"""HTTPRoute -> routes, the same for gateways and waypoints."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.httproute import HTTPRoute, HTTPRouteMatch, HTTPRouteRule, HTTPValueMatch
from serai.api.meta import Key
from serai.api.regex import regex_problem
from serai.api.validate_filters import HTTP_FILTERS
from serai.ir.match import PathKind, PathMatch, RequestMatch, ValueMatch
from serai.translate.extensions import Extend
from serai.translate.order import Age, rank
from serai.translate.rules import (
    CompiledRoute,
    CompiledRule,
    LeavesOf,
    Placed,
    Resolve,
    RuleSettings,
    compile_rules,
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
    extend: Extend,
    clients: str = "",
) -> CompiledRoute:
    """Compile every rule.  `clients` limits them to the clients of a namespace."""

    def placed(rule: HTTPRouteRule, age: Age, index: int) -> Iterator[Placed]:
        for position, match in enumerate(rule.matches or (HTTPRouteMatch(),)):
            problem = _match_problem(match)
            if problem:
                yield problem
                continue
            wanted = _request_match(match, clients)
            yield wanted, rank(wanted, age, index, position)

    compiled = (
        (CompiledRule(key, index, rule, resolve, leaves(rule), extend, _SETTINGS), rule)
        for index, rule in enumerate(route.spec.rules)
    )
    return compile_rules(route.metadata, compiled, placed)


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
