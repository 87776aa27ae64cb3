"""SER10: policies that apply to nothing, or ask for what cannot be done."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader
from serai.ir.leaf import FailClosed
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
        whole = {leaf.origin.path for leaf in policy.leaves if leaf.feature == policy.key.kind}
        for fault in policy.faults:
            message = f"{fault.message}{_consequence(policy, fault.path)}"
            rest = "" if fault.path in whole else "; the policy's other fields are in force"
            remedy = f"Correct it{rest}."
            yield keyed(Problem("SER1002", "error", message, remedy, policy.key, fault.path))

    return Derived(graph, "problems of policies", policies, rows)


def _consequence(policy: CompiledPolicy, path: str) -> str:
    """What follows, where the fault does not say it itself because something makes up for it."""
    for leaf in policy.leaves:
        if path.startswith(leaf.origin.path):
            if not isinstance(leaf.value, FailClosed):
                return ""
            return f". What it applies to is answered {leaf.value.status} until then"
    return ". It is left out"
