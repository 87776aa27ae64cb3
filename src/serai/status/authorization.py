"""The status of Istio's policies at waypoints: the condition WaypointAccepted."""

from __future__ import annotations

from serai.api.meta import Key
from serai.api.request_authentication import RequestAuthentication
from serai.api.security import AuthorizationPolicy
from serai.attach.targets import Target
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Derived, Graph, Reader, mapped
from serai.status.values import ConditionsStatus, condition
from serai.translate.collections import Attached
from serai.translate.policies import CompiledPolicy

WAYPOINT_ACCEPTED = "WaypointAccepted"
ISTIO = frozenset({AuthorizationPolicy.__name__, RequestAuthentication.__name__})
"""The kinds that have it."""
_PARENTS = frozenset({"Gateway", "GatewayClass"})


def authorization_statuses(graph: Graph, attached: Attached) -> Derived[Key, ConditionsStatus]:
    """The status of each policy that names something; of others ztunnel's index has a word."""

    def status(reader: Reader, key: Key, policy: CompiledPolicy) -> ConditionsStatus | None:
        if key.kind not in ISTIO or not policy.targets:
            return None
        verdict = _verdict(reader, attached, policy)
        return ConditionsStatus((condition(WAYPOINT_ACCEPTED, verdict, policy.generation),))

    compiled = attached.policies.compiled
    return mapped(graph, "statuses of Istio's policies", compiled, status)


def _verdict(reader: Reader, attached: Attached, policy: CompiledPolicy) -> Verdict:
    """Istio: PartiallyInvalid where some targets are good; what the policy says comes first."""
    if policy.faults:
        return refused("Invalid", "; ".join(f"{f.path}: {f.message}" for f in policy.faults))
    found = [_of_target(reader, attached, each) for each in policy.targets]
    bad = [each for each in found if not each.ok]
    if not bad:
        return ACCEPTED
    reason = bad[0].reason if len(bad) == len(found) else "PartiallyInvalid"
    return refused(reason, "; ".join(each.message for each in bad))


def _of_target(reader: Reader, attached: Attached, target: Target) -> Verdict:
    if not target.verdict.ok:
        return target.verdict
    for key in target.keys:
        capture = reader.get(attached.captures, key.object)
        bound = key.object.kind in _PARENTS or (capture and capture.bound_to)
        if not bound:
            message = f"{key.object} is captured by no waypoint"
            return refused("AncestorNotBound", message)
    return target.verdict
