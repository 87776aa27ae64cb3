"""The status of policies.  Gateway API: PolicyStatus (GEP-713), one entry for each ancestor.

The ancestor is the Gateway whose proxies do what the policy asks: of a service the waypoint that
captured it; where there is none, what the policy names.
"""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.gateway import GROUP, ParentReference
from serai.api.kinds import by_kind
from serai.api.meta import Condition, Key
from serai.attach.gateways import CONTROLLER
from serai.attach.targets import Everything, Target, TargetKey, TargetReference
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.status.authorization import ISTIO
from serai.status.values import PolicyAncestorStatus, PolicyStatus, condition
from serai.translate.collections import Attached
from serai.translate.policies import CompiledPolicy

MOST_ANCESTORS = 16
"""Gateway API: PolicyStatus.ancestors."""


def policy_statuses(
    graph: Graph, policies: Node[Key, CompiledPolicy], attached: Attached
) -> Derived[Key, PolicyStatus]:
    """The status of each policy that names something."""

    def status(reader: Reader, _: Key, policy: CompiledPolicy) -> PolicyStatus | None:
        if policy.key.kind in ISTIO:
            return None  # Istio has a condition of its own for them
        found: dict[ParentReference, tuple[Condition, ...]] = {}
        for target in policy.targets:
            for ancestor in _ancestors(reader, attached, target):
                found.setdefault(ancestor, _conditions(policy, target.verdict))
        for route in naming_routes(reader, attached, policy.key):
            found.setdefault(route, _conditions(policy, ACCEPTED))
        ancestors = [
            PolicyAncestorStatus(reference, CONTROLLER, conditions)
            for reference, conditions in list(found.items())[:MOST_ANCESTORS]
        ]
        return PolicyStatus(tuple(ancestors)) if ancestors else None

    return mapped(graph, "statuses of policies", policies, status)


def naming_routes(reader: Reader, attached: Attached, key: Key) -> Iterator[ParentReference]:
    """The routes that name an object in a filter, sorted."""
    for route in sorted(set(reader.members(attached.extensions.named_by, key))):
        yield ParentReference(route.name, GROUP, route.kind, route.namespace)


def _ancestors(reader: Reader, attached: Attached, target: Target) -> Iterator[ParentReference]:
    for key in target.keys if not isinstance(target.asked, Everything) else ():
        yield _ancestor(reader, attached, key)
    if not target.keys and isinstance(target.asked, TargetReference):
        asked = target.asked
        yield ParentReference(
            asked.name, asked.group, asked.kind, section_name=asked.section or None
        )


def _ancestor(reader: Reader, attached: Attached, key: TargetKey) -> ParentReference:
    capture = reader.get(attached.captures, key.object)
    waypoint = capture.bound_to if capture else None
    if waypoint is not None:
        return ParentReference(waypoint.name, GROUP, "Gateway", waypoint.namespace)
    kind, namespace, name = key.object
    known = by_kind(kind)
    group = known.group if known else GROUP
    return ParentReference(name, group, kind, namespace or None, key.section or None)


def _conditions(policy: CompiledPolicy, target: Verdict) -> tuple[Condition, ...]:
    verdict = _verdict(policy, target)
    return (condition("Accepted", verdict, policy.generation),)


def _verdict(policy: CompiledPolicy, target: Verdict) -> Verdict:
    if not target.ok:
        return target
    if policy.faults:
        first = policy.faults[0]
        return refused(first.reason, "; ".join(f"{f.path}: {f.message}" for f in policy.faults))
    return ACCEPTED
