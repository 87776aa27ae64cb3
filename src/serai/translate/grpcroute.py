"""GRPCRoute -> routes, the same for gateways and waypoints.

A call is an HTTP request for ``/service/method`` with a content-type of gRPC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from serai.api.grpcroute import GRPCMethodMatch, GRPCRoute, GRPCRouteMatch, GRPCRouteRule
from serai.api.meta import Key
from serai.api.regex import regex_problem
from serai.api.validate_filters import GRPC_FILTERS
from serai.ir.match import PathKind, PathMatch, RequestMatch
from serai.translate.extensions import Extend
from serai.translate.httproute import regexes, value_matches
from serai.translate.order import Age, rank_of_call
from serai.translate.rules import (
    CompiledRoute,
    CompiledRule,
    LeavesOf,
    Placed,
    Resolve,
    RuleSettings,
    compile_rules,
)

_SETTINGS = RuleSettings(frozenset(GRPC_FILTERS), unavailable=503)
_ANY = "[^/]+"


def compile_grpc(
    key: Key,
    route: GRPCRoute,
    resolve: Resolve,
    leaves: LeavesOf,
    extend: Extend,
    clients: str = "",
) -> CompiledRoute:
    """Compile every rule.  `clients` limits them to the clients of a namespace."""

    def placed(rule: GRPCRouteRule, age: Age, index: int) -> Iterator[Placed]:
        for position, match in enumerate(rule.matches or (GRPCRouteMatch(),)):
            problem = _match_problem(match)
            if problem:
                yield problem
                continue
            wanted = _request_match(match, clients)
            place = rank_of_call(match.method, len(wanted.headers), age, index, position)
            yield wanted, place

    compiled = (
        (CompiledRule(key, index, rule, resolve, leaves(rule), extend, _SETTINGS), rule)
        for index, rule in enumerate(route.spec.rules)
    )
    return compile_rules(route.metadata, compiled, placed)


def _request_match(match: GRPCRouteMatch, clients: str) -> RequestMatch:
    return RequestMatch(
        path=_path(match.method) if match.method else PathMatch(),
        method="POST",
        headers=value_matches(match.headers, lower=True),
        grpc=True,
        client_namespace=clients,
    )


def _path(method: GRPCMethodMatch) -> PathMatch:
    if method.type == "Exact" and method.service:
        if method.method:
            return PathMatch(PathKind.EXACT, f"/{method.service}/{method.method}")
        return PathMatch(PathKind.PREFIX, f"/{method.service}")
    parts = (method.service or "", method.method or "")
    written = (re.escape(each) if method.type == "Exact" else each for each in parts)
    service, name = (f"(?:{each})" if each else _ANY for each in written)
    return PathMatch(PathKind.REGEX, f"/{service}/{name}")


def _match_problem(match: GRPCRouteMatch) -> str:
    patterns = regexes(match.headers)
    if match.method and match.method.type == "RegularExpression":
        patterns += [each for each in (match.method.service, match.method.method) if each]
    return next((problem for each in patterns if (problem := regex_problem(each))), "")
