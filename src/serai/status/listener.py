"""The status of a listener, of Gateways and ListenerSets alike.  Gateway API: ListenerStatus."""

from __future__ import annotations

from collections.abc import Iterable

from serai.api.gateway import RouteGroupKind
from serai.attach.gateways import Role
from serai.attach.listeners import ListenerState
from serai.attach.transports import HBONE, PROXY
from serai.attach.verdict import RESOLVED, Verdict, refused
from serai.incremental import Reader
from serai.status.overlap import Overlaps
from serai.status.values import ListenerStatus, condition
from serai.translate import names
from serai.translate.collections import Attached
from serai.xds.refusals import Refusal

PROGRAMMED = Verdict(ok=True, reason="Programmed")
NO_CONFLICTS = Verdict(ok=False, reason="NoConflicts")


def listener_status(
    reader: Reader,
    attached: Attached,
    state: ListenerState,
    refusals: Iterable[Refusal],
    overlaps: Overlaps,
    generation: int,
) -> ListenerStatus:
    """What is said of one listener; `refusals` and `overlaps` are those of its proxy."""
    conflicted = Verdict(ok=True, reason=state.conflict) if state.conflict else NO_CONFLICTS
    verdicts = {
        "Accepted": state.accepted,
        "Programmed": listener_programmed(state, refusals),
        "ResolvedRefs": RESOLVED if state.resolved.ok else state.resolved,
        "Conflicted": conflicted,
    }
    overlapping = overlaps.of(state)
    if overlapping is not None:
        verdicts["OverlappingTLSConfig"] = overlapping
    return ListenerStatus(
        name=state.listener.name,
        attached_routes=_attached_routes(reader, attached, state),
        supported_kinds=tuple(RouteGroupKind(kind=kind) for kind in state.kinds),
        conditions=tuple(
            condition(kind, verdict, generation) for kind, verdict in verdicts.items()
        ),
    )


def listener_programmed(state: ListenerState, refusals: Iterable[Refusal]) -> Verdict:
    """Whether its proxy has it."""
    if state.conflict and state.key.parent != state.gateway:
        return refused(state.conflict, state.accepted.message)
    if not state.served:
        return refused("Invalid", "see the conditions Accepted and ResolvedRefs")
    mine = _resources(state)
    for refusal in refusals:
        if refusal.resource.name in mine:
            return refused("Invalid", words(refusal))
    return PROGRAMMED


def words(refusal: Refusal) -> str:
    """A refusal, as conditions say it."""
    return f"Envoy refused {refusal.resource.name}: {refusal.message}"


def _resources(state: ListenerState) -> set[str]:
    """The resources that it is made of, by name."""
    port = state.listener.port
    of_mesh = {PROXY: names.WAYPOINT_LISTENER, HBONE: names.HBONE_LISTENER}
    found = {of_mesh.get(state.listener.protocol, names.gateway_listener(port))}
    if state.tls is not None:
        found |= {names.server_certificate(each) for each in state.tls.certificates}
        found |= {names.client_authority(state.gateway, port)}
    return found | {names.gateway_chain(state.key, port)}


def _attached_routes(reader: Reader, attached: Attached, state: ListenerState) -> int:
    """How many routes, each once however many of its parentRefs lead here."""
    if state.role is Role.WAYPOINT:
        found = reader.members(attached.on_waypoint, state.gateway)
    else:
        found = reader.members(attached.on_listener, state.key)
    return len({each.route for each in found})
