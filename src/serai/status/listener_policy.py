"""The status of listener policies.  Gateway API: PolicyStatus (GEP-713), by what they name.

Accepted says whether all that is asked can be done, Attached whether it is in force there: all of
it, some of it (Merged), or none, as older policies at the same place say it all (Overridden).
Rejected: Envoy would not take it.
"""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.gateway import GROUP, ParentReference
from serai.api.meta import Condition, Key
from serai.attach.gateways import CONTROLLER
from serai.attach.targets import Target, TargetKey, TargetReference
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Derived, Graph, Reader, mapped
from serai.status.attachment import attachment
from serai.status.policy import MOST_ANCESTORS, PENDING
from serai.status.values import PolicyAncestorStatus, PolicyStatus, condition
from serai.translate.collections import Attached
from serai.translate.listener_policies import CompiledListenerPolicy
from serai.xds.refusals import Refusal, Refusals


def listener_policy_statuses(
    graph: Graph, attached: Attached, refusals: Refusals
) -> Derived[Key, PolicyStatus]:
    """The status of each listener policy that names something."""

    def status(reader: Reader, _: Key, policy: CompiledListenerPolicy) -> PolicyStatus | None:
        found: dict[ParentReference, tuple[Condition, ...]] = {}
        said = next(iter(refusals.of_object(reader, policy.key)), None)
        rejected = _rejected(said) if said else None
        for target in policy.targets:
            for ancestor, accepted, in_force in _of_target(reader, attached, policy, target):
                really = rejected if rejected and in_force.ok else in_force
                found.setdefault(ancestor, _conditions(policy, accepted, really))
        ancestors = [
            PolicyAncestorStatus(reference, CONTROLLER, conditions)
            for reference, conditions in list(found.items())[:MOST_ANCESTORS]
        ]
        return PolicyStatus(tuple(ancestors)) if ancestors else None

    compiled = attached.listener_policies.compiled
    return mapped(graph, "statuses of listener policies", compiled, status)


def _of_target(
    reader: Reader, attached: Attached, policy: CompiledListenerPolicy, target: Target
) -> Iterator[tuple[ParentReference, Verdict, Verdict]]:
    """Who is named, whether that can be, and what is in force there."""
    if not target.verdict.ok:
        asked = target.asked
        if isinstance(asked, TargetReference):
            section = asked.section or None
            ancestor = ParentReference(asked.name, asked.group, asked.kind, section_name=section)
            yield ancestor, target.verdict, PENDING
        return
    for key in target.keys:
        kind, namespace, name = key.object
        ancestor = ParentReference(name, GROUP, kind, namespace, key.section or None)
        yield ancestor, ACCEPTED, _attachment(reader, attached, policy, key)


def _rejected(refusal: Refusal) -> Verdict:
    words = f"Envoy refused {refusal.resource.name}: {refusal.message}"
    return refused("Rejected", f"{words}. What was there before stays in force")


def _conditions(
    policy: CompiledListenerPolicy, accepted: Verdict, in_force: Verdict
) -> tuple[Condition, ...]:
    if accepted.ok and policy.faults:
        words = "; ".join(f"{each.path}: {each.message}" for each in policy.faults)
        accepted = refused(policy.faults[0].reason, words)
    return (
        condition("Accepted", accepted, policy.generation),
        condition("Attached", in_force, policy.generation),
    )


def _attachment(
    reader: Reader, attached: Attached, policy: CompiledListenerPolicy, key: TargetKey
) -> Verdict:
    older = attached.listener_policies.rivals(reader, policy, key)
    mine = [(each.port, leaf.feature) for each in policy.ports for leaf in each.leaves]
    lost = ((field, older[port, field]) for port, field in mine if (port, field) in older)
    return attachment(len(mine), lost)
