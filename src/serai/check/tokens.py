"""SER10: keys of issuers that cannot be fetched."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader
from serai.model.key_sets import Fetched
from serai.policies.tokens.requirement import KeySource, Tokens
from serai.translate.collections import Attached
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
