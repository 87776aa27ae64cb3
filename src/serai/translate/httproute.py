"""HTTPRoute -> routes, the same for gateways and waypoints."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from serai.api.duration import seconds
from serai.api.httproute import (
    HTTPBackendRef,
    HTTPRoute,
    HTTPRouteMatch,
    HTTPRouteRule,
    HTTPRouteTimeouts,
    HTTPValueMatch,
)
from serai.api.meta import Key
from serai.attach.verdict import Verdict, refused
from serai.backends import Invalid
from serai.ir.leaf import Leaf
from serai.ir.match import PathKind, PathMatch, RequestMatch, ValueMatch
from serai.ir.origin import Origin, Value
from serai.ir.route import Action, DirectResponse, Forward, Route, WeightedCluster
from serai.translate.filters import Filters, gather
from serai.translate.order import Age, RankedRoute, rank
from serai.translate.regex import regex_problem

RESOLVED = Verdict(ok=True, reason="ResolvedRefs")

ResolveCluster = Callable[[HTTPBackendRef], WeightedCluster | Invalid]
LeavesOfRule = Callable[[HTTPRouteRule], tuple[Leaf, ...]]

_PATH_KINDS = {
    "Exact": PathKind.EXACT,
    "PathPrefix": PathKind.PREFIX,
    "RegularExpression": PathKind.REGEX,
}


class CompiledRoute(Value, frozen=True):
    """The rules of a route for one parent, in no order yet."""

    routes: tuple[RankedRoute, ...]
    resolved: Verdict
    invalid: tuple[tuple[str, Invalid], ...] = ()
    """References that cannot be used, by their path in the route."""
    dropped: tuple[tuple[str, str], ...] = ()
    """What cannot be done, by its path in the route, and why."""


def compile_route(
    key: Key,
    route: HTTPRoute,
    resolve: ResolveCluster,
    leaves: LeavesOfRule,
    clients: str = "",
) -> CompiledRoute:
    """Compile every rule.  `clients` limits them to the clients of a namespace."""
    age = Age(route.metadata.creation_timestamp or "", key.namespace, key.name)
    routes: list[RankedRoute] = []
    invalid: list[tuple[str, Invalid]] = []
    dropped: list[tuple[str, str]] = []
    for index, rule in enumerate(route.spec.rules):
        compiled = _Rule(key, index, rule, resolve, leaves(rule))
        invalid += compiled.invalid
        dropped += compiled.dropped
        for position, match in enumerate(rule.matches or (HTTPRouteMatch(),)):
            problem = _match_problem(match)
            if problem:
                path = f"{compiled.path}.matches[{position}]"
                dropped.append((path, f"Dropped Rule {compiled.name}, match {position}: {problem}"))
                continue
            wanted = _request_match(match, clients)
            built = compiled.route(wanted, position)
            routes.append(RankedRoute(rank(wanted, age, index, position), built))
    first = invalid[0][1] if invalid else None
    resolved = refused(first.reason, first.message) if first else RESOLVED
    return CompiledRoute(tuple(routes), resolved, tuple(invalid), tuple(dropped))


class _Rule:
    """One rule while it is compiled: its filters and its action are the same for all matches."""

    def __init__(
        self,
        key: Key,
        index: int,
        rule: HTTPRouteRule,
        resolve: ResolveCluster,
        leaves: tuple[Leaf, ...],
    ) -> None:
        self.key = key
        self.path = f"spec.rules[{index}]"
        self.name = rule.name or str(index)
        self.leaves = leaves
        self.invalid: list[tuple[str, Invalid]] = []
        self.dropped: list[tuple[str, str]] = []
        self._filters = gather(rule.filters)
        self._note_unsupported(self._filters, f"{self.path}.filters")
        self._action = self._act(rule, resolve)

    def route(self, match: RequestMatch, position: int) -> Route:
        """The route of one match."""
        return Route(
            name=f"{self.key.namespace}/{self.key.name}/{self.name}/{position}",
            match=match,
            action=self._action,
            origin=Origin(self.key, self.path),
            request_headers=self._filters.request_headers,
            response_headers=self._filters.response_headers,
            leaves=self.leaves,
        )

    def _act(self, rule: HTTPRouteRule, resolve: ResolveCluster) -> Action:
        clusters = tuple(
            self._weigh(ref, f"{self.path}.backendRefs[{index}]", resolve)
            for index, ref in enumerate(rule.backend_refs)
        )
        if self._filters.unsupported:
            return DirectResponse(500)
        if self._filters.redirect is not None:
            return self._filters.redirect
        serving = tuple(each for each in clusters if each.weight > 0)
        if all(each.cluster is None for each in serving):
            return DirectResponse(500)
        timeouts = rule.timeouts or HTTPRouteTimeouts()
        return Forward(
            clusters=serving,
            request_timeout_seconds=self._duration(timeouts.request),
            backend_timeout_seconds=self._duration(timeouts.backend_request),
            rewrite_host=self._filters.rewrite_host,
            rewrite_path=self._filters.rewrite_path,
        )

    def _weigh(self, ref: HTTPBackendRef, path: str, resolve: ResolveCluster) -> WeightedCluster:
        filters = gather(ref.filters, of_backend=True)
        self._note_unsupported(filters, f"{path}.filters")
        found = resolve(ref)
        if isinstance(found, Invalid):
            self.invalid.append((path, found))
        usable = WeightedCluster(None) if isinstance(found, Invalid) else found
        return replace(
            WeightedCluster(None) if filters.unsupported else usable,
            weight=ref.weight,
            request_headers=filters.request_headers,
            response_headers=filters.response_headers,
        )

    def _duration(self, text: str | None) -> float | None:
        if text is None:
            return None
        found = seconds(text)
        if found is None:
            words = f'timeout "{text}" is not a duration such as 1m30s; there is none'
            self.dropped.append(
                (f"{self.path}.timeouts", f"Fall Back in Rule {self.name}: {words}")
            )
        return found

    def _note_unsupported(self, filters: Filters, path: str) -> None:
        self.dropped += [
            (path, f"Rule {self.name} answers 500: filter {each} is not implemented")
            for each in filters.unsupported
        ]
        self.dropped += [
            (path, f"Rule {self.name} leaves header {each} as it is: use URLRewrite for the host")
            for each in filters.fixed_headers
        ]


def _request_match(match: HTTPRouteMatch, clients: str) -> RequestMatch:
    return RequestMatch(
        path=PathMatch(_PATH_KINDS[match.path.type], match.path.value),
        method=match.method,
        headers=_values(match.headers, lower=True),
        query=_values(match.query_params, lower=False),
        client_namespace=clients,
    )


def _values(found: tuple[HTTPValueMatch, ...], *, lower: bool) -> tuple[ValueMatch, ...]:
    """Of several entries for one name only the first counts."""
    first: dict[str, ValueMatch] = {}
    for each in found:
        name = each.name.lower() if lower else each.name
        first.setdefault(name, ValueMatch(name, each.value, each.type == "RegularExpression"))
    return tuple(first.values())


def _match_problem(match: HTTPRouteMatch) -> str:
    patterns = [each.value for each in match.headers if each.type == "RegularExpression"]
    patterns += [each.value for each in match.query_params if each.type == "RegularExpression"]
    if match.path.type == "RegularExpression":
        patterns.append(match.path.value)
    elif "?" in match.path.value:
        return f'path "{match.path.value}" has a query; use queryParams for what follows the ?'
    return next((problem for each in patterns if (problem := regex_problem(each))), "")
