"""The status of policies.  Gateway API: PolicyStatus (GEP-713), one entry for each ancestor.

The ancestors are the Gateways whose proxies do what the policy asks: of a service the waypoint that
captured it and all others that send to it; where there is none, what the policy names.

Accepted says whether all that is asked can be done, Attached whether it is in force: all of it,
some of it (Merged), or none (Overridden), as older policies at the same place say it, or those of a
Gateway that lets its own come first.
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
from serai.status.outranked import behind, in_force, places_of
from serai.status.values import PolicyAncestorStatus, PolicyStatus, condition
from serai.translate.applied import Applied
from serai.translate.collections import Attached
from serai.translate.policies import CompiledPolicy

MOST_ANCESTORS = 16
"""Gateway API: PolicyStatus.ancestors."""
PENDING = refused("Pending", "it applies to nothing")


def policy_statuses(
    graph: Graph, policies: Node[Key, CompiledPolicy], attached: Attached, done: Applied
) -> Derived[Key, PolicyStatus]:
    """The status of each policy that names something."""

    def status(reader: Reader, _: Key, policy: CompiledPolicy) -> PolicyStatus | None:
        if policy.key.kind in ISTIO:
            return None  # Istio has a condition of its own for them
        found: dict[ParentReference, list[tuple[Verdict, Verdict]]] = {}
        for target in policy.targets:
            for ancestor, attachment in _ancestors(reader, attached, done, policy, target):
                found.setdefault(ancestor, []).append((target.verdict, attachment))
        for route in naming_routes(reader, attached, policy.key):
            found.setdefault(route, []).append((ACCEPTED, behind(reader, attached, policy, route)))
        ancestors = [
            PolicyAncestorStatus(reference, CONTROLLER, _conditions(policy, verdicts))
            for reference, verdicts in list(found.items())[:MOST_ANCESTORS]
        ]
        return PolicyStatus(tuple(ancestors)) if ancestors else None

    return mapped(graph, "statuses of policies", policies, status)


def naming_routes(reader: Reader, attached: Attached, key: Key) -> Iterator[ParentReference]:
    """The routes that name an object in a filter, sorted."""
    for route in sorted(set(reader.members(attached.extensions.named_by, key))):
        yield ParentReference(route.name, GROUP, route.kind, route.namespace)


def _ancestors(
    reader: Reader, attached: Attached, done: Applied, policy: CompiledPolicy, target: Target
) -> Iterator[tuple[ParentReference, Verdict]]:
    """Whose proxies do what a policy asks there, and what of it is in force."""
    for key in target.keys if not isinstance(target.asked, Everything) else ():
        for ancestor, places in _acting(reader, attached, done, key):
            yield ancestor, in_force(reader, attached, policy, key, places)
    if not target.keys and isinstance(target.asked, TargetReference):
        asked = target.asked
        section = asked.section or None
        yield ParentReference(asked.name, asked.group, asked.kind, section_name=section), PENDING


def _acting(
    reader: Reader, attached: Attached, done: Applied, key: TargetKey
) -> Iterator[tuple[ParentReference, tuple[TargetKey, ...]]]:
    """Each ancestor, and the Gateways, or listeners of them, that it stands for."""
    capture = reader.get(attached.captures, key.object)
    waypoint = capture.bound_to if capture else None
    gateways = {*done.gateways(reader, key.object), *([waypoint] if waypoint else [])}
    for each in sorted(gateways):
        yield ParentReference(each.name, GROUP, "Gateway", each.namespace), (TargetKey(each),)
    if gateways:
        return
    kind, namespace, name = key.object
    known = by_kind(kind)
    group = known.group if known else GROUP
    itself = ParentReference(name, group, kind, namespace or None, key.section or None)
    yield itself, places_of(reader, attached, key.object)


def _conditions(
    policy: CompiledPolicy, found: list[tuple[Verdict, Verdict]]
) -> tuple[Condition, ...]:
    """Of all targets behind one ancestor."""
    accepted = _verdict(policy, found[0][0])
    attached = dict.fromkeys(each for _, each in found)
    one, *others = attached
    if others:
        words = "; ".join(each.message for each in attached if each.message)
        one = Verdict(ok=True, reason="Merged", message=words)
    return (
        condition("Accepted", accepted, policy.generation),
        condition("Attached", one, policy.generation),
    )


def _verdict(policy: CompiledPolicy, target: Verdict) -> Verdict:
    if not target.ok:
        return target
    if policy.faults:
        first = policy.faults[0]
        return refused(first.reason, "; ".join(f"{f.path}: {f.message}" for f in policy.faults))
    return ACCEPTED
