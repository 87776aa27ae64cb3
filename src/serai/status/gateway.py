"""The status of Gateways and ListenerSets.  Gateway API: GatewayStatus, ListenerSetStatus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from serai.api.gateway import Gateway, GatewayAddress, Listener
from serai.api.gateway_tls import FrontendTLSConfig, TLSConfig
from serai.api.listener_set import ListenerSet
from serai.api.meta import Condition, Key
from serai.attach.gateways import Proxy, Role
from serai.attach.listener_sets import AddedListeners
from serai.attach.listeners import ListenerKey, ListenerState
from serai.attach.verdict import ACCEPTED, RESOLVED, Verdict, refused
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.status.listener import PROGRAMMED, listener_programmed, listener_status, words
from serai.status.overlap import Overlaps
from serai.status.values import GatewayStatus, ListenerSetStatus, condition
from serai.translate.collections import Attached
from serai.translate.names import is_spare
from serai.xds.refusals import Refusal, Refusals

ADDRESS_TYPE = "IPAddress"
_INSECURE = Verdict(
    ok=True,
    reason="ConfigurationChanged",
    message="clients without a valid certificate are let in: a mode is AllowInsecureFallback",
)
_DEFAULT = Verdict(ok=True, reason="DefaultScope", message="Gateway has default scope All")
"""Gateway API: GEP-3793."""


class Statuses(msgspec.Struct, frozen=True):
    """What the statuses of Gateways and ListenerSets are put together from."""

    attached: Attached
    refusals: Refusals

    def gateway(self, reader: Reader, key: Key, row: Gateway) -> GatewayStatus | None:
        """The status of a Gateway of ours."""
        proxy = reader.get(self.attached.proxies, key)
        if proxy is None:
            return None
        states = self._states(reader, key, proxy.listeners)
        refusals = self.refusals.of_listeners(reader, key)
        overlaps = Overlaps(reader, self.attached, key)
        generation = row.metadata.generation
        accepted = self._accepted(reader, row, states)
        unusable = reader.get(self.attached.unusable, key) or ()
        verdicts = {
            "Accepted": accepted,
            "Programmed": _programmed(
                accepted, proxy, states, refusals, unusable if row.spec.addresses else ()
            ),
            **dict(self._tls(reader, key, row)),
            **({"DefaultGateway": _DEFAULT} if proxy.is_default else {}),
        }
        found = reader.get(self.attached.addresses, key)
        addresses = (self.attached.settings.bind,) if found is None else found
        return GatewayStatus(
            conditions=_conditions(verdicts, generation),
            addresses=tuple(GatewayAddress(value=address) for address in addresses),
            listeners=tuple(
                listener_status(reader, self.attached, state, refusals, overlaps, generation)
                for state in states
            ),
            attached_listener_sets=self._attached_sets(reader, proxy),
        )

    def listener_set(self, reader: Reader, key: Key, row: ListenerSet) -> ListenerSetStatus | None:
        """The status of a ListenerSet whose parent is a Gateway of ours."""
        added = reader.get(self.attached.listening.added, key)
        if added is None:
            return None
        generation = row.metadata.generation
        if not added.allowed.ok:
            verdicts = dict.fromkeys(("Accepted", "Programmed"), added.allowed)
            return ListenerSetStatus(_conditions(verdicts, generation))
        states = self._states(reader, key, added.listeners)
        refusals = self.refusals.of_listeners(reader, added.gateway)
        overlaps = Overlaps(reader, self.attached, added.gateway)
        served = any(listener_programmed(state, refusals).ok for state in states)
        lost = refused("ListenersNotValid", "no listener is usable, so nothing is served")
        verdicts = {
            "Accepted": _of_listeners(states),
            "Programmed": PROGRAMMED if served else lost,
        }
        return ListenerSetStatus(
            _conditions(verdicts, generation),
            tuple(
                listener_status(reader, self.attached, state, refusals, overlaps, generation)
                for state in states
            ),
        )

    def _states(
        self, reader: Reader, parent: Key, listeners: Iterable[Listener]
    ) -> list[ListenerState]:
        keys = (ListenerKey(parent, each.name) for each in listeners)
        found = (reader.get(self.attached.listeners, key) for key in keys)
        return [state for state in found if state]

    def _accepted(self, reader: Reader, row: Gateway, states: list[ListenerState]) -> Verdict:
        wish = reader.get(self.attached.wishes, row.key)
        if wish is not None and not wish.verdict.ok:
            return wish.verdict
        odd = next((each for each in row.spec.addresses if each.type != ADDRESS_TYPE), None)
        if odd is not None:
            message = f"addresses of type {odd.type} cannot be had; ask for one of {ADDRESS_TYPE}"
            return refused("UnsupportedAddress", message)
        return _of_listeners(states)

    def _tls(self, reader: Reader, key: Key, row: Gateway) -> Iterator[tuple[str, Verdict]]:
        tls = row.spec.tls
        reference = tls.backend.client_certificate_ref if tls and tls.backend else None
        if reference is not None:
            found = self.attached.certificates.shown(reader, key, (reference,)).resolved
            if found.ok:
                yield "ResolvedRefs", RESOLVED
            elif found.reason == "RefNotPermitted":
                yield "ResolvedRefs", found
            else:
                yield "ResolvedRefs", refused("InvalidClientCertificateRef", found.message)
        if tls and tls.frontend and any(map(_is_insecure, _configs(tls.frontend))):
            yield "InsecureFrontendValidationMode", _INSECURE

    def _attached_sets(self, reader: Reader, proxy: Proxy) -> int | None:
        if proxy.role is Role.WAYPOINT:
            return None
        listening = self.attached.listening
        sets = reader.rows(listening.sets_of, proxy.key, listening.added)
        return sum(self._is_attached(reader, added) for _, added in sets)

    def _is_attached(self, reader: Reader, added: AddedListeners) -> bool:
        if not added.allowed.ok:
            return False
        return _of_listeners(self._states(reader, added.key, added.listeners)).ok


def gateway_statuses(
    graph: Graph, gateways: Node[Key, Gateway], statuses: Statuses
) -> Derived[Key, GatewayStatus]:
    """The status of each Gateway of ours."""
    return mapped(graph, "statuses of Gateway", gateways, statuses.gateway)


def listener_set_statuses(
    graph: Graph, sets: Node[Key, ListenerSet], statuses: Statuses
) -> Derived[Key, ListenerSetStatus]:
    """The status of each ListenerSet whose parent is a Gateway of ours."""
    return mapped(graph, "statuses of ListenerSet", sets, statuses.listener_set)


def _of_listeners(states: list[ListenerState]) -> Verdict:
    """What the listeners make of the object they are in."""
    bad = [state.listener.name for state in states if not state.usable]
    if not bad:
        return ACCEPTED
    message = f"not usable: {', '.join(bad)}; see the conditions of these listeners"
    some = len(bad) < len(states)
    return Verdict(ok=some, reason="ListenersNotValid", message=message)


def _programmed(
    accepted: Verdict,
    proxy: Proxy,
    states: list[ListenerState],
    refusals: list[Refusal],
    unusable: tuple[str, ...],
) -> Verdict:
    serious = [each for each in refusals if not is_spare(each.resource.name)]
    if serious:
        return refused("Invalid", words(serious[0]))
    if not accepted.ok and accepted.reason != "ListenersNotValid":
        return refused("Invalid", accepted.message)
    if unusable:
        message = f"{', '.join(unusable)} cannot be listened on; ask for addresses of this machine"
        return refused("AddressNotUsable", message)
    if proxy.role is Role.WAYPOINT or any(state.served for state in states):
        return PROGRAMMED
    return refused("Invalid", "no listener is usable, so nothing is served")


def _configs(frontend: FrontendTLSConfig) -> Iterator[TLSConfig]:
    yield frontend.default
    yield from (each.tls for each in frontend.per_port)


def _is_insecure(config: TLSConfig) -> bool:
    return config.validation is not None and config.validation.mode == "AllowInsecureFallback"


def _conditions(verdicts: dict[str, Verdict], generation: int) -> tuple[Condition, ...]:
    return tuple(condition(kind, verdict, generation) for kind, verdict in verdicts.items())
