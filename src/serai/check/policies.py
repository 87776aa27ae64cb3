"""SER10: policies that apply to nothing, or ask for what cannot be done."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader
from serai.policies import BY_NAME
from serai.translate.policies import CompiledPolicy


def policy_problems(
    graph: Graph, policies: Node[Key, CompiledPolicy]
) -> Derived[ProblemKey, Problem]:
    """What is wrong with each policy, target by target and feature by feature."""

    def rows(_: Reader, __: Key, policy: CompiledPolicy) -> Iterator[tuple[ProblemKey, Problem]]:
        for position, target in enumerate(policy.targets):
            if not target.verdict.ok:
                message = f"applies to nothing there: {target.verdict.message}"
                remedy = "Correct the target, or write what it names."
                path = f"spec.targetRefs[{position}]"
                problem = Problem("SER1001", "error", message, remedy, policy.key, path)
                yield keyed(problem)
        for fault in policy.faults:
            message = f"{fault.message}. {_consequence(policy, fault.path)}"
            remedy = "Correct it; the policy's other fields are in force."
            yield keyed(Problem("SER1002", "error", message, remedy, policy.key, fault.path))

    return Derived(graph, "problems of policies", policies, rows)


def _consequence(policy: CompiledPolicy, path: str) -> str:
    for leaf in policy.leaves:
        status = BY_NAME[leaf.feature].fails_closed
        if status and path.startswith(leaf.origin.path):
            return f"What it applies to is answered {status} until then"
    return "It is left out"
