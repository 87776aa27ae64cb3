"""The rules of HTTPRoutes and GRPCRoutes -> what is done with what they match.

What a rule matches is its kind's own affair; filters, backends, retries and sessions are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from msgspec.structs import replace

from serai.api.duration import seconds
from serai.api.grpcroute import GRPCRouteRule
from serai.api.httproute import (
    BackendReference,
    HTTPBackendRef,
    HTTPExternalAuthFilter,
    HTTPRequestMirrorFilter,
    HTTPRouteRule,
)
from serai.api.meta import Key, ObjectMeta
from serai.api.streamroutes import BackendRef
from serai.api.validate_filters import OF_RULES
from serai.attach.verdict import RESOLVED, Verdict, refused
from serai.backends import Invalid
from serai.ir.leaf import FailClosed, Leaf
from serai.ir.match import RequestMatch
from serai.ir.origin import Origin, Value
from serai.ir.route import (
    Action,
    DirectResponse,
    Forward,
    Mirror,
    Retry,
    Route,
    Session,
    WeightedCluster,
)
from serai.translate.extensions import Extend, Extension
from serai.translate.external_auth import external_auth
from serai.translate.filters import Filters, gather
from serai.translate.order import Age, Rank, RankedRoute
from serai.translate.session import session

INCOMPATIBLE = "IncompatibleFilters"
UNSUPPORTED = "UnsupportedValue"

AnyBackendRef = HTTPBackendRef | BackendReference | BackendRef
Resolve = Callable[[AnyBackendRef], WeightedCluster | Invalid]
Rule = HTTPRouteRule | GRPCRouteRule
LeavesOf = Callable[[Rule], tuple[Leaf, ...]]
AnyRule = TypeVar("AnyRule", HTTPRouteRule, GRPCRouteRule)
Placed = tuple[RequestMatch, Rank] | str
"""A match and its place among others; or why it cannot be had."""


class Dropped(Value, frozen=True):
    """What a route asks for and cannot be done: where, the words, and the reason for its status."""

    path: str
    words: str
    reason: str = UNSUPPORTED
    rule: int | None = None
    """The rule that is answered 500 for it; None if the rule goes on without it."""


class CompiledRoute(Value, frozen=True):
    """The rules of a route for one parent, in no order yet."""

    routes: tuple[RankedRoute, ...] = ()
    """Of an HTTPRoute or a GRPCRoute."""
    resolved: Verdict = RESOLVED
    invalid: tuple[tuple[str, Invalid], ...] = ()
    """References that cannot be used, by their path in the route."""
    dropped: tuple[Dropped, ...] = ()
    clusters: tuple[WeightedCluster, ...] = ()
    """Of a TCPRoute, a TLSRoute or a UDPRoute: where bytes go."""
    hostnames: tuple[str, ...] = ()
    """Of a TLSRoute."""
    created: str = ""

    @property
    def does_nothing(self) -> bool:
        """Whether no rule can be done.  Gateway API: Accepted takes one that can be."""
        broken = {each.rule for each in self.dropped if each.rule is not None}
        return not self.clusters and all(each.rule in broken for each in self.routes)


def resolved(invalid: list[tuple[str, Invalid]]) -> Verdict:
    """ResolvedRefs, by the first of the references that cannot be used."""
    return refused(invalid[0][1].reason, invalid[0][1].message) if invalid else RESOLVED


class RuleSettings(Value, frozen=True):
    """What differs between the kinds of routes."""

    filters: frozenset[str]
    """The types of filters that there are."""
    unavailable: int
    """What is answered for a backend that is not there.  Envoy makes gRPC's UNAVAILABLE of 503."""


def compile_rules(
    metadata: ObjectMeta,
    rules: Iterable[tuple[CompiledRule, AnyRule]],
    placed: Callable[[AnyRule, Age, int], Iterator[Placed]],
) -> CompiledRoute:
    """A route of these rules; `placed` reads the matches of one, by its place in the route."""
    age = Age(metadata.creation_timestamp or "", metadata.namespace, metadata.name)
    routes: list[RankedRoute] = []
    invalid: list[tuple[str, Invalid]] = []
    dropped: list[Dropped] = []
    for index, (compiled, rule) in enumerate(rules):
        invalid += compiled.invalid
        dropped += compiled.dropped
        for position, found in enumerate(placed(rule, age, index)):
            if isinstance(found, str):
                path = f"{compiled.path}.matches[{position}]"
                words = f"Dropped Rule {compiled.name}, match {position}: {found}"
                dropped.append(Dropped(path, words))
                continue
            wanted, rank = found
            routes.append(RankedRoute(rank, compiled.route(wanted, position)))
    return CompiledRoute(
        tuple(routes), resolved(invalid), tuple(invalid), tuple(dropped), created=age.created
    )


class CompiledRule:
    """One rule while it is compiled: its filters and its action are the same for all matches."""

    def __init__(
        self,
        key: Key,
        index: int,
        rule: Rule,
        resolve: Resolve,
        leaves: tuple[Leaf, ...],
        extend: Extend,
        settings: RuleSettings,
    ) -> None:
        """Resolves its references; what cannot be done is in `invalid` and `dropped`."""
        self.key = key
        self.path = f"spec.rules[{index}]"
        self.name = rule.name or str(index)
        self._index = index
        self.leaves = leaves
        self.invalid: list[tuple[str, Invalid]] = []
        self.dropped: list[Dropped] = []
        self._resolve = resolve
        self._extend = extend
        self._settings = settings
        self._filters = gather(rule.filters, settings.filters)
        self._note(self._filters, f"{self.path}.filters", index)
        if self._filters.cors is not None:
            origin = Origin(key, f"{self.path}.filters")
            self.leaves = (Leaf("cors", self._filters.cors, origin), *leaves)
        if self._filters.external_auth is not None:
            self.leaves = (self._external_auth(self._filters.external_auth), *self.leaves)
        self._extension = self._extended(self._filters, f"{self.path}.filters")
        if self._extension is not None:
            self.leaves = (*self._extension.leaves, *self.leaves)
        self._action = self._act(rule)

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

    def _external_auth(self, asked: HTTPExternalAuthFilter) -> Leaf:
        """Whom to ask first; if that is nobody, nobody passes.  Gateway API: GEP-1494."""
        path = f"{self.path}.filters"
        origin = Origin(self.key, path)
        found = self._called(asked.backend_ref)
        if isinstance(found, Invalid):
            self.invalid.append((path, found))
            return Leaf("extAuth", FailClosed(500, found.message), origin)
        return Leaf("extAuth", external_auth(asked, found), origin, (found,))

    def _called(self, reference: BackendReference) -> str | Invalid:
        """The cluster of a backend that takes what is not the request itself."""
        found = self._resolve(reference)
        if isinstance(found, Invalid):
            return found
        if found.look_up is not None or found.cluster is None:
            words = f"{found.cluster or reference.name} cannot be called; its host is looked up"
            return Invalid("UnsupportedProtocol", words)
        return found.cluster

    def _act(self, rule: Rule) -> Action:
        clusters = tuple(
            self._weigh(ref, f"{self.path}.backendRefs[{index}]")
            for index, ref in enumerate(rule.backend_refs)
        )
        mirrors = self._mirrors(self._filters, f"{self.path}.filters")
        if self._filters.unsupported or self._filters.incompatible or self._extension is None:
            return DirectResponse(500)
        if self._extension.answer is not None:
            return self._answer(self._extension.answer, rule)
        if self._filters.redirect is not None:
            return self._filters.redirect
        serving = tuple(each for each in clusters if each.weight > 0)
        if all(each.cluster is None and each.redirect is None for each in serving):
            return DirectResponse(self._settings.unavailable)
        return self._with_terms(
            Forward(
                clusters=serving,
                rewrite_host=self._filters.rewrite_host,
                rewrite_path=self._filters.rewrite_path,
                mirrors=mirrors,
                session=self._session(rule),
            ),
            rule,
        )

    def _answer(self, answer: DirectResponse, rule: Rule) -> DirectResponse:
        """The answer of a DirectResponse, where nothing else is asked for.  As in kgateway."""
        others = {
            "redirected": self._filters.redirect,
            "rewritten": self._filters.rewrite_host or self._filters.rewrite_path,
            "copied": self._filters.mirrors,
            "sent to a backend": rule.backend_refs,
        }
        also = next((words for words, asked in others.items() if asked), "")
        if not also:
            return answer
        words = f"a request that a DirectResponse answers cannot be {also} too; keep one of the two"
        path = f"{self.path}.filters"
        self.dropped.append(Dropped(path, self._answered(words), INCOMPATIBLE, self._index))
        return DirectResponse(500)

    def _extended(self, filters: Filters, path: str) -> Extension | None:
        """What all ExtensionRefs come to, of which the first counts; None if one cannot be had."""
        leaves: list[Leaf] = []
        answer: DirectResponse | None = None
        missing = False
        for ref in filters.extensions:
            found = self._extend(ref)
            if isinstance(found, Invalid):
                self.invalid.append((path, found))
                missing = True
                continue
            leaves += found.leaves
            answer = answer or found.answer
        return None if missing else Extension(tuple(leaves), answer)

    def _with_terms(self, forward: Forward, rule: Rule) -> Forward:
        """With the timeouts and retries that HTTPRoutes have."""
        if not isinstance(rule, HTTPRouteRule):
            return forward
        if rule.timeouts is not None:
            path = f"{self.path}.timeouts"
            request, backend = rule.timeouts.request, rule.timeouts.backend_request
            forward = replace(
                forward,
                request_timeout_seconds=self._duration(request, path, "timeout"),
                backend_timeout_seconds=self._duration(backend, path, "timeout"),
            )
        if rule.retry is None:
            return forward
        backoff = self._duration(rule.retry.backoff, f"{self.path}.retry", "backoff")
        return replace(forward, retry=Retry(rule.retry.codes, rule.retry.attempts, backoff))

    def _weigh(self, ref: HTTPBackendRef, path: str) -> WeightedCluster:
        filters = gather(ref.filters, self._settings.filters - OF_RULES)
        self._note(filters, f"{path}.filters")
        found = self._resolve(ref)
        nothing = WeightedCluster(None, status=self._settings.unavailable)
        if isinstance(found, Invalid):
            self.invalid.append((path, found))
        usable = nothing if isinstance(found, Invalid) else found
        extension = self._of_backend(filters, f"{path}.filters")
        broken = bool(filters.unsupported) or filters.incompatible or extension is None
        return replace(
            nothing if broken else usable,
            weight=ref.weight,
            request_headers=filters.request_headers,
            response_headers=filters.response_headers,
            rewrite_host=filters.rewrite_host,
            rewrite_path=filters.rewrite_path,
            redirect=None if broken else filters.redirect,
            mirrors=self._mirrors(filters, f"{path}.filters"),
            leaves=extension.leaves if extension else (),
        )

    def _of_backend(self, filters: Filters, path: str) -> Extension | None:
        """Likewise for a backendRef, whose share no DirectResponse can answer.  As in kgateway."""
        found = self._extended(filters, path)
        if found is None or found.answer is None:
            return found
        words = "a DirectResponse is for rules, not for one of their backends"
        self.dropped.append(Dropped(path, self._answered(words), INCOMPATIBLE))
        return None

    def _mirrors(self, filters: Filters, path: str) -> tuple[Mirror, ...]:
        """Where copies go; to a backend that is not there, none.  Gateway API: requestMirror."""
        found: list[Mirror] = []
        for each in filters.mirrors:
            target = self._called(each.backend_ref)
            if isinstance(target, Invalid):
                self.invalid.append((path, target))
            elif mirror := _mirror(target, each):
                found.append(mirror)
        return tuple(found)

    def _session(self, rule: Rule) -> Session | None:
        asked = rule.session_persistence
        if asked is None:
            return None
        found, untrue = session(self.key, self.name, asked)
        self.dropped += [
            Dropped(f"{self.path}.sessionPersistence", f"Fall Back in Rule {self.name}: {words}")
            for words in untrue
        ]
        return found

    def _duration(self, text: str | None, path: str, what: str) -> float | None:
        if text is None:
            return None
        found = seconds(text)
        if found is None:
            words = f'{what} "{text}" is not a duration such as 1m30s; there is none'
            self.dropped.append(Dropped(path, f"Fall Back in Rule {self.name}: {words}"))
        return found

    def _note(self, filters: Filters, path: str, rule: int | None = None) -> None:
        self.dropped += [
            Dropped(path, self._answered(f"{each} is not implemented"), rule=rule)
            for each in filters.unsupported
        ]
        self.dropped += [
            Dropped(path, f"Fall Back in Rule {self.name}: {each} stays; use URLRewrite for a host")
            for each in filters.fixed_headers
        ]
        if filters.incompatible:
            words = "a request cannot be redirected and rewritten; keep one of the two"
            self.dropped.append(Dropped(path, self._answered(words), INCOMPATIBLE, rule))

    def _answered(self, why: str) -> str:
        return f"Dropped Rule {self.name}, answered 500: {why}"


def _mirror(cluster: str, asked: HTTPRequestMirrorFilter) -> Mirror | None:
    if asked.fraction is not None:
        numerator, denominator = asked.fraction.numerator, asked.fraction.denominator
    else:
        numerator, denominator = 100 if asked.percent is None else asked.percent, 100
    return Mirror(cluster, numerator, denominator) if numerator else None
