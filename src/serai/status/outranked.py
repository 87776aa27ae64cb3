"""What Gateways' own policies come first with, where their annotation has it so.

kgateway: ``kgateway.dev/inherited-policy-priority`` of Gateways.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from serai.api.gateway import ParentReference
from serai.api.meta import Key
from serai.attach.routes import ListenerTarget, ServiceTarget, Target, WaypointTarget
from serai.attach.targets import TargetKey
from serai.attach.verdict import Verdict
from serai.incremental import Reader
from serai.status.attachment import attachment
from serai.translate.collections import Attached
from serai.translate.policies import CompiledPolicy


def in_force(
    reader: Reader,
    attached: Attached,
    policy: CompiledPolicy,
    at: TargetKey | None,
    gateways: Iterable[Key],
) -> Verdict:
    """What of a policy is in force behind some Gateways, whose own may come before it.

    It is overridden only if all that it says is said by others at each of them.
    """
    mine = [leaf.feature for leaf in policy.leaves]
    policies = attached.policies
    older = policies.rivals(reader, policy, at) if at is not None else {}
    first = [{**policies.overriding(reader, each), **older} for each in gateways] or [older]
    lost = {field: found[field] for found in first for field in mine if field in found}
    verdict = attachment(len(mine), lost.items())
    if verdict.ok or all(field in found for found in first for field in mine):
        return verdict
    return Verdict(ok=True, reason="Merged", message=f"of some Gateways {verdict.message}")


def behind(
    reader: Reader, attached: Attached, policy: CompiledPolicy, route: ParentReference
) -> Verdict:
    """What of a policy is in force that a filter of a route names."""
    gateways = gateways_of(reader, attached, Key(route.kind, route.namespace or "", route.name))
    return in_force(reader, attached, policy, None, gateways)


def gateways_of(reader: Reader, attached: Attached, place: Key) -> tuple[Key, ...]:
    """The Gateways that a route or a ListenerSet is part of, sorted."""
    if place.kind == "ListenerSet":
        added = reader.get(attached.listening.added, place)
        return (added.gateway,) if added else ()
    rows = reader.rows(attached.of_route, place, attached.attachments)
    targets = (target for _, row in rows for target in row.targets)
    return tuple(sorted({key for each in targets for key in _gateway(reader, attached, each)}))


def _gateway(reader: Reader, attached: Attached, target: Target) -> Iterator[Key]:
    match target:
        case ListenerTarget(listener):
            state = reader.get(attached.listeners, listener)
            yield from (state.gateway,) if state else ()
        case WaypointTarget(waypoint):
            yield waypoint
        case ServiceTarget(service):
            capture = reader.get(attached.captures, service)
            yield from (capture.bound_to,) if capture and capture.bound_to else ()
