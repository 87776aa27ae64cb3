"""What the policies of Gateways and their listeners come first with, where they ask for that.

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
    places: Iterable[TargetKey],
) -> Verdict:
    """What of a policy is in force behind some Gateways or listeners, whose may come before it.

    It is overridden only if all that it says is said by others at each of them.
    """
    mine = [leaf.feature for leaf in policy.leaves]
    policies = attached.policies
    older = policies.rivals(reader, policy, at) if at is not None else {}
    first = [{**policies.overriding(reader, each), **older} for each in places] or [older]
    lost = {field: found[field] for found in first for field in mine if field in found}
    verdict = attachment(len(mine), lost.items())
    if verdict.ok or all(field in found for found in first for field in mine):
        return verdict
    return Verdict(ok=True, reason="Merged", message=f"of some Gateways {verdict.message}")


def behind(
    reader: Reader, attached: Attached, policy: CompiledPolicy, route: ParentReference
) -> Verdict:
    """What of a policy is in force that a filter of a route names."""
    places = places_of(reader, attached, Key(route.kind, route.namespace or "", route.name))
    return in_force(reader, attached, policy, None, places)


def places_of(reader: Reader, attached: Attached, place: Key) -> tuple[TargetKey, ...]:
    """The Gateways, and the listeners of them, that a route or a ListenerSet is part of, sorted."""
    if place.kind == "ListenerSet":
        added = reader.get(attached.listening.added, place)
        return (TargetKey(added.gateway),) if added else ()
    rows = reader.rows(attached.of_route, place, attached.attachments)
    targets = (target for _, row in rows for target in row.targets)
    return tuple(sorted({key for each in targets for key in _place(reader, attached, each)}))


def _place(reader: Reader, attached: Attached, target: Target) -> Iterator[TargetKey]:
    match target:
        case ListenerTarget(listener):
            state = reader.get(attached.listeners, listener)
            if state is not None:
                own = state.key.parent == state.gateway
                yield TargetKey(state.gateway, state.listener.name if own else "")
        case WaypointTarget(waypoint):
            yield TargetKey(waypoint)
        case ServiceTarget(service):
            capture = reader.get(attached.captures, service)
            yield from (TargetKey(capture.bound_to),) if capture and capture.bound_to else ()
