"""The status of GatewayClasses and Gateways.  Gateway API: GatewayStatus, ListenerStatus."""

from __future__ import annotations

import msgspec

from serai.api.gateway import Gateway, GatewayAddress, GatewayClass, RouteGroupKind
from serai.api.meta import Condition, Key
from serai.attach.gateways import CONTROLLER, Role
from serai.attach.listeners import ListenerKey, ListenerState
from serai.attach.transports import HBONE, PROXY
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.status.values import ConditionsStatus, GatewayStatus, ListenerStatus, condition
from serai.translate import names
from serai.translate.collections import Attached
from serai.xds.refusals import Refusal, Refusals

PROGRAMMED = Verdict(ok=True, reason="Programmed")
NO_CONFLICTS = Verdict(ok=False, reason="NoConflicts")
RESOLVED = Verdict(ok=True, reason="ResolvedRefs")


def class_statuses(
    graph: Graph, classes: Node[Key, GatewayClass]
) -> Derived[Key, ConditionsStatus]:
    """The status of each GatewayClass that names our controller."""

    def status(_: Reader, __: Key, row: GatewayClass) -> ConditionsStatus | None:
        if row.spec.controller_name != CONTROLLER:
            return None
        return ConditionsStatus((condition("Accepted", ACCEPTED, row.metadata.generation),))

    return mapped(graph, "statuses of GatewayClass", classes, status)


def gateway_statuses(
    graph: Graph, gateways: Node[Key, Gateway], attached: Attached, refusals: Refusals
) -> Derived[Key, GatewayStatus]:
    """The status of each Gateway of ours."""

    def status(reader: Reader, key: Key, gateway: Gateway) -> GatewayStatus | None:
        proxy = reader.get(attached.proxies, key)
        if proxy is None:
            return None
        states = [
            state
            for listener in proxy.listeners
            if (state := reader.get(attached.listeners, ListenerKey(key, listener.name)))
        ]
        report = _Report(
            states=tuple(states),
            is_waypoint=proxy.role is Role.WAYPOINT,
            refused=tuple(refusals.of_listeners(reader, key)),
            generation=gateway.metadata.generation,
        )
        addresses = reader.get(attached.addresses, key) or (attached.settings.bind,)
        return GatewayStatus(
            conditions=report.conditions(),
            addresses=tuple(GatewayAddress(value=address) for address in addresses),
            listeners=tuple(
                report.listener(state, _attached_routes(reader, attached, state))
                for state in states
            ),
        )

    return mapped(graph, "statuses of Gateway", gateways, status)


def _attached_routes(reader: Reader, attached: Attached, state: ListenerState) -> int:
    """How many routes, each once however many of its parentRefs lead here."""
    if state.role is Role.WAYPOINT:
        found = reader.members(attached.on_waypoint, state.gateway)
    else:
        found = reader.members(attached.on_listener, state.key)
    return len({each.route for each in found})


class _Report(msgspec.Struct, frozen=True):
    """A Gateway's status while it is put together."""

    states: tuple[ListenerState, ...]
    is_waypoint: bool
    refused: tuple[Refusal, ...]
    generation: int

    def conditions(self) -> tuple[Condition, ...]:
        """Of the Gateway as a whole."""
        return (
            condition("Accepted", self._accepted(), self.generation),
            condition("Programmed", self._programmed(), self.generation),
        )

    def listener(self, state: ListenerState, attached_routes: int) -> ListenerStatus:
        """Of one listener."""
        conflicted = Verdict(ok=True, reason=state.conflict) if state.conflict else NO_CONFLICTS
        verdicts = {
            "Accepted": state.accepted,
            "Programmed": self._listener_programmed(state),
            "ResolvedRefs": RESOLVED if state.resolved.ok else state.resolved,
            "Conflicted": conflicted,
        }
        return ListenerStatus(
            name=state.listener.name,
            attached_routes=attached_routes,
            supported_kinds=tuple(RouteGroupKind(kind=kind) for kind in state.kinds),
            conditions=tuple(
                condition(kind, verdict, self.generation) for kind, verdict in verdicts.items()
            ),
        )

    def _accepted(self) -> Verdict:
        bad = [state.listener.name for state in self.states if not state.usable]
        if not bad:
            return ACCEPTED
        message = f"not usable: {', '.join(bad)}; see the conditions of these listeners"
        some = len(bad) < len(self.states)
        return Verdict(ok=some, reason="ListenersNotValid", message=message)

    def _programmed(self) -> Verdict:
        if self.refused:
            return refused("Invalid", _words(self.refused[0]))
        if self.is_waypoint or any(state.usable for state in self.states):
            return PROGRAMMED
        return refused("Invalid", "no listener is usable, so nothing is served")

    def _listener_programmed(self, state: ListenerState) -> Verdict:
        if not state.usable:
            return refused("Invalid", "see the conditions Accepted and ResolvedRefs")
        of_mesh = {PROXY: names.WAYPOINT_LISTENER, HBONE: names.HBONE_LISTENER}
        usual = names.gateway_listener(state.listener.port)
        mine = {of_mesh.get(state.listener.protocol, usual)}
        for refusal in self.refused:
            if refusal.resource.name in mine:
                return refused("Invalid", _words(refusal))
        return PROGRAMMED


def _words(refusal: Refusal) -> str:
    return f"Envoy refused {refusal.resource.name}: {refusal.message}"
