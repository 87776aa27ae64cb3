"""The status of policies for clusters.  Gateway API: PolicyStatus (GEP-713), BackendTLSPolicy.

The ancestors are the Gateways that send to what a policy names; where there is none, what it names.
Of a BackendConfigPolicy it is always what it names: whoever has kgateway's reads it there.
"""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.backend_policy import BackendTLSPolicy
from serai.api.destination_rule import DestinationRule
from serai.api.gateway import GROUP, ParentReference
from serai.api.kinds import by_kind
from serai.api.meta import Condition, Key
from serai.attach.gateways import CONTROLLER
from serai.attach.targets import Target, TargetReference
from serai.attach.verdict import ACCEPTED, ATTACHED, RESOLVED, Verdict, refused
from serai.backends.upstream_tls import SYSTEM, trust_of
from serai.incremental import Derived, Graph, Reader, mapped
from serai.status.values import ConditionsStatus, PolicyAncestorStatus, PolicyStatus, condition
from serai.translate.applied import Applied
from serai.translate.cluster_policies import TARGETED, Aim, Section
from serai.translate.collections import Attached
from serai.translate.destination_rules import host_of

MOST_ANCESTORS = 16
APPLIED = "serai.dev/Applied"

Conditions = dict[str, Verdict]


def cluster_policy_statuses(
    graph: Graph, attached: Attached, done: Applied
) -> Derived[Key, PolicyStatus]:
    """The status of each policy that names a service."""

    def status(reader: Reader, key: Key, aim: Aim) -> PolicyStatus | None:
        listed: dict[ParentReference, list[Conditions]] = {}
        for target in aim.targets:
            verdicts = _verdicts(reader, attached, done, key, target)
            for ancestor in _ancestors(reader, done, key, target):
                listed.setdefault(ancestor, []).append(verdicts)
        ancestors = [
            PolicyAncestorStatus(ancestor, CONTROLLER, _conditions(each, aim.generation))
            for ancestor, each in list(listed.items())[:MOST_ANCESTORS]
        ]
        return PolicyStatus(tuple(ancestors)) if ancestors else None

    return mapped(graph, "statuses of cluster policies", attached.cluster_policies.aims, status)


def _ancestors(
    reader: Reader, done: Applied, policy: Key, target: Target
) -> Iterator[ParentReference]:
    for each in target.keys:
        kind, namespace, name = each.object
        named = policy.kind == "BackendConfigPolicy"
        gateways = () if named else done.gateways(reader, each.object)
        for gateway in gateways:
            yield ParentReference(gateway.name, GROUP, "Gateway", gateway.namespace)
        if gateways:
            continue
        known = by_kind(kind)
        group = known.group if known else GROUP
        yield ParentReference(name, group, kind, namespace or None, each.section or None)
    if not target.keys and isinstance(target.asked, TargetReference):
        asked = target.asked
        yield ParentReference(
            asked.name, asked.group, asked.kind, section_name=asked.section or None
        )


def _conditions(found: list[Conditions], generation: int) -> tuple[Condition, ...]:
    """Of several targets behind one ancestor: yes where one is, and what is wrong with others."""
    conditions = []
    for kind in found[0]:
        verdicts = [each[kind] for each in found if kind in each]
        good = next((each for each in verdicts if each.ok), None)
        bad = [each for each in verdicts if not each.ok]
        chosen = good or bad[0]
        if good and bad:
            words = "; ".join(each.message for each in bad)
            chosen = Verdict(ok=True, reason=good.reason, message=f"but not all: {words}")
        conditions.append(condition(kind, chosen, generation))
    return tuple(conditions)


def _verdicts(
    reader: Reader, attached: Attached, done: Applied, key: Key, target: Target
) -> Conditions:
    resolved: Conditions = {}
    accepted = _targeted(target)
    if key.kind == "BackendTLSPolicy":
        trusted, refs = _trust(reader, attached, key)
        resolved = {"ResolvedRefs": refs}
        accepted = accepted if not accepted.ok else trusted
        if accepted.ok:
            accepted = _unrivalled(reader, attached, key, target)
    if accepted.ok:
        refusal = next(done.refusals(reader, key), None)
        if refusal is not None:
            accepted = refused(refusal.reason, f"{refusal.path}: {refusal.message}")
    if key.kind == "BackendConfigPolicy":
        return {"Accepted": accepted, "Attached": _attached(reader, attached, key, target)}
    return {"Accepted": accepted, **resolved}


def _targeted(target: Target) -> Verdict:
    if not target.verdict.ok:
        return target.verdict
    if any(each.object.kind in TARGETED for each in target.keys):
        return ACCEPTED
    return refused("Invalid", f"{target.asked} is no backend, and this policy is for backends")


def _trust(reader: Reader, attached: Attached, key: Key) -> tuple[Verdict, Verdict]:
    """Whether a BackendTLSPolicy has anybody to trust, and whether all references are good."""
    policy = reader.get(attached.cluster_policies.written[key.kind], key)
    if not isinstance(policy, BackendTLSPolicy):
        return ACCEPTED, RESOLVED
    validation = policy.spec.validation
    if not validation.ca_certificate_refs:
        known = validation.well_known_ca == SYSTEM
        words = f"wellKnownCACertificates {validation.well_known_ca} is not known; there is System"
        return ACCEPTED if known else refused("Invalid", words), RESOLVED
    trust, faults = trust_of(
        validation.ca_certificate_refs,
        key.namespace,
        lambda held: attached.material.read(reader, held),
    )
    if not faults:
        return ACCEPTED, RESOLVED
    words = "; ".join(f"{each.path}: {each.message}" for each in faults)
    accepted = ACCEPTED if trust else refused("NoValidCACertificate", words)
    return accepted, refused(faults[0].reason, words)


def _unrivalled(reader: Reader, attached: Attached, key: Key, target: Target) -> Verdict:
    """Of two policies for just the same, the older one counts."""
    for each in target.keys:
        section = Section(each.object, each.section, each.host)
        winner = attached.cluster_policies.winner(reader, key.kind, section)
        if winner not in {None, key}:
            return refused("Conflicted", f"{winner} names {target.asked} too, and comes first")
    return ACCEPTED


def _attached(reader: Reader, attached: Attached, key: Key, target: Target) -> Verdict:
    """What of a BackendConfigPolicy counts, where others name the same."""
    if not target.verdict.ok:
        return target.verdict
    policies = attached.cluster_policies
    own = _said(reader, attached, key)
    taken: dict[str, Key] = {}
    for each in target.keys:
        section = Section(each.object, each.section, each.host)
        for other in policies.before(reader, key, section):
            for field in _said(reader, attached, other) & own:
                taken.setdefault(field, other)
    words = ", ".join(f"{field} is {other}'s" for field, other in sorted(taken.items()))
    if not taken:
        return ATTACHED
    if set(taken) == own:
        return refused("Overridden", f"older policies say all of it: {words}")
    return Verdict(ok=True, reason="Merged", message=f"with older policies: {words}")


def _said(reader: Reader, attached: Attached, key: Key) -> set[str]:
    row = reader.get(attached.cluster_policies.written[key.kind], key)
    if row is None:
        return set()
    fields = (name for name in row.spec.__struct_fields__ if not name.startswith("target_"))
    return {name for name in fields if getattr(row.spec, name) is not None}


def rule_statuses(
    graph: Graph, attached: Attached, done: Applied
) -> Derived[Key, ConditionsStatus]:
    """Whether each DestinationRule applies to anything, and where."""

    def status(reader: Reader, key: Key, rule: DestinationRule) -> ConditionsStatus:
        gateways = done.gateways_of_policy(reader, key)
        refusal = next(done.refusals(reader, key), None)
        if refusal is not None:
            verdict = refused(refusal.reason, f"{refusal.path}: {refusal.message}")
        elif gateways:
            names = ", ".join(each.namespaced_name for each in gateways)
            verdict = Verdict(ok=True, reason="Applied", message=f"by {names}")
        else:
            host = host_of(rule, attached.settings.cluster_domain)
            words = f"no Gateway sends to {host} by this rule; another may come before it"
            verdict = refused("NotApplied", words)
        found = condition(APPLIED, verdict, rule.metadata.generation)
        return ConditionsStatus((found,))

    return mapped(graph, "statuses of DestinationRule", attached.rules.rules, status)
