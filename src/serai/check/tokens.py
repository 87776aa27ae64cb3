"""SER10: keys of issuers that cannot be fetched, and routes by claims that are not guarded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Index, Node, Reader
from serai.ir.leaf import FailClosed
from serai.ir.origin import Origin
from serai.ir.route import RouteConfiguration
from serai.model.key_sets import Fetched
from serai.policies.tokens.requirement import KeySource, Tokens
from serai.translate.claims import UNGUARDED
from serai.translate.collections import Attached, Named
from serai.translate.policies import CompiledPolicy


def token_problems(
    graph: Graph, attached: Attached, key_sets: Node[KeySource, Fetched]
) -> Derived[ProblemKey, Problem]:
    """For each policy, the keys that could not be fetched when that was last tried."""

    def rows(
        reader: Reader, key: Key, policy: CompiledPolicy
    ) -> Iterator[tuple[ProblemKey, Problem]]:
        for leaf in policy.leaves:
            sources = _sources(leaf.value) if isinstance(leaf.value, Tokens) else ()
            for source in sources:
                found = reader.get(key_sets, source)
                if found is not None and found.failure:
                    yield keyed(_problem(key, leaf.origin.path, source, found))

    return Derived(graph, "problems of keys", attached.policies.compiled, rows)


def unguarded_problems(
    graph: Graph, routes: Node[Named, RouteConfiguration]
) -> Derived[ProblemKey, Problem]:
    """The rules that are chosen by claims, and whose own guards would never be asked."""
    found: Index[Origin, Named] = Index(graph, "unguarded routes", routes, _unguarded)

    def rows(
        _: Reader, origin: Origin, __: Sequence[Named]
    ) -> Iterator[tuple[ProblemKey, Problem]]:
        remedy = "Let one policy be for the whole route, or for its Gateway."
        message = f"It answers 500: {UNGUARDED}."
        yield keyed(Problem("SER1011", "error", message, remedy, origin.key, origin.path))

    return Derived(graph, "problems of routes by claims", found, rows)


def _unguarded(_: Named, row: RouteConfiguration) -> Iterator[Origin]:
    for host in row.virtual_hosts:
        for route in host.routes if host.by_claims else ():
            refusals = (each.value for each in route.leaves if isinstance(each.value, FailClosed))
            if any(each.why == UNGUARDED for each in refusals):
                yield route.origin


def _sources(tokens: Tokens) -> Iterator[KeySource]:
    found = (each.keys for each in tokens.providers if isinstance(each.keys, KeySource))
    yield from dict.fromkeys(found)


def _problem(key: Key, path: str, source: KeySource, found: Fetched) -> Problem:
    until = (
        "The keys that were fetched before stay in force"
        if found.keys
        else "No token of that issuer is taken until then"
    )
    return Problem(
        code="SER1010",
        severity="warning" if found.keys else "error",
        message=f"the keys at {source.url} cannot be fetched: {found.failure}. {until}",
        remedy="See that the issuer answers there; it is tried again by itself.",
        key=key,
        path=path,
    )
