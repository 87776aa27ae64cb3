"""What policies say of a request: each leaf in force, in the order in which they act."""

from __future__ import annotations

from serai.ir.leaf import FailClosed, Leaf
from serai.ir.route import HeaderMutations
from serai.policies import BY_NAME, ORDER
from serai.policies.feature import Asked
from serai.trace.match import Facts
from serai.trace.outcome import Answered, Step


def judged(
    leaves: tuple[Leaf, ...], facts: Facts, route: str, steps: list[Step]
) -> Answered | None:
    """What answers a request in place of its backend; None if all let it pass.

    Adds to `steps`.
    """
    asked = Asked(facts.method, facts.authority, facts.path, facts.headers, facts.principal)
    for leaf in sorted(leaves, key=lambda each: ORDER[each.feature]):
        if isinstance(leaf.value, FailClosed):
            why = f"cannot be used, and must not be skipped: {leaf.value.why}"
            steps.append(Step(f"policy {leaf.feature}", "refused", why, leaf.origin))
            return Answered(leaf.value.status, "policy_invalid", why, route=route)
        said = BY_NAME[leaf.feature].judge(leaf.value, asked)
        found = f"answers {said.status}" if said.status else "passes"
        steps.append(Step(f"policy {leaf.feature}", found, said.words, leaf.origin))
        if said.status:
            added = HeaderMutations(set=said.headers)
            return Answered(said.status, "policy", said.words, added, route)
    return None
