"""SER15: limits that do not count, and policies that go by limits that are not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.api.rate_limit_config import LABEL
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Index, Node, Reader, Union
from serai.model.rate_limits import Limits
from serai.policies.rate_limit_global import Limit
from serai.translate.policies import CompiledPolicy


def limit_problems(
    graph: Graph, limits: Node[Key, Limits], policies: Node[Key, CompiledPolicy]
) -> Union[ProblemKey, Problem]:
    """What is wrong with limits, and what lacks them."""
    by_domain: Index[str, Key] = Index(
        graph,
        "rate limits by domain",
        limits,
        lambda _, each: (domain.domain for domain in each.domains),
    )

    def twice(reader: Reader, key: Key, row: Limits) -> Iterator[tuple[ProblemKey, Problem]]:
        for domain in row.domains:
            others = reader.rows(by_domain, domain.domain, limits)
            first = _first(others)
            if first != key:
                short = domain.domain.partition("/")[2]
                message = f"domain {short} is in {first} too, which is older and counts"
                remedy = "Write a domain's limits in one place."
                yield keyed(Problem("SER1502", "warning", message, remedy, key, f"data {short}"))

    def lacking(
        reader: Reader, key: Key, policy: CompiledPolicy
    ) -> Iterator[tuple[ProblemKey, Problem]]:
        for leaf in policy.leaves:
            service = leaf.value.service if isinstance(leaf.value, Limit) else None
            if service is None or not service.is_own:
                continue
            if not reader.members(by_domain, service.domain):
                yield keyed(_lacking(key, leaf.origin.path, service.domain))

    return Union(
        graph,
        "problems of rate limits",
        (
            Derived(graph, "problems of limits", limits, twice),
            Derived(graph, "policies without limits", policies, lacking),
        ),
    )


def _first(claims: Sequence[tuple[Key, Limits]]) -> Key:
    return min(claims, key=lambda each: (each[1].created or "9999", each[0]))[0]


def _lacking(key: Key, path: str, own: str) -> Problem:
    namespace, _, domain = own.partition("/")
    message = f"domain {domain} has no limits in {namespace}, so every request passes"
    remedy = f"Write them in a ConfigMap there, with the label {LABEL}: true."
    return Problem("SER1503", "warning", message, remedy, key, path)
