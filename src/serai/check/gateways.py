"""SER03: Gateways and listeners that serve nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from serai.api.gateway import Gateway, Listener
from serai.api.listener_set import ListenerSet
from serai.api.meta import Key
from serai.api.problem import Problem
from serai.attach.gateways import BORROWED_CLASSES, OWN_CLASSES
from serai.attach.listeners import ListenerKey, ListenerState
from serai.attach.verdict import Verdict
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader, Union
from serai.model.networks import tells_of_network
from serai.translate.collections import Attached


def gateway_problems(
    graph: Graph,
    gateways: Node[Key, Gateway],
    sets: Node[Key, ListenerSet],
    attached: Attached,
) -> Node[ProblemKey, Problem]:
    """What serves nothing of Gateways and of the ListenerSets that add to them."""
    parts = (_of_gateways(graph, gateways, attached), _of_sets(graph, sets, attached))
    return Union(graph, "problems of gateways", parts)


def _of_gateways(
    graph: Graph, gateways: Node[Key, Gateway], attached: Attached
) -> Derived[ProblemKey, Problem]:
    """Gateways of a class that nobody knows, and listeners that cannot be used."""

    def rows(reader: Reader, key: Key, gateway: Gateway) -> Iterator[tuple[ProblemKey, Problem]]:
        proxy = reader.get(attached.proxies, key)
        if proxy is None:
            if attached.settings.standalone and not tells_of_network(gateway):
                yield keyed(_not_ours(key, gateway))
            return
        if gateway.spec.default_scope == "All" and not proxy.is_default:
            yield keyed(_no_default(key))
        unusable = reader.get(attached.unusable, key) or ()
        if unusable and not gateway.spec.addresses:
            yield keyed(_without(key, unusable))
        yield from _of_listeners(reader, attached, key, gateway.spec.listeners)

    return Derived(graph, "problems of gateways alone", gateways, rows)


def _of_sets(
    graph: Graph, sets: Node[Key, ListenerSet], attached: Attached
) -> Derived[ProblemKey, Problem]:
    """ListenerSets that no Gateway of ours takes, and listeners of theirs that cannot be used."""

    def rows(
        reader: Reader, key: Key, listener_set: ListenerSet
    ) -> Iterator[tuple[ProblemKey, Problem]]:
        added = reader.get(attached.listening.added, key)
        if added is None:
            if attached.settings.standalone:
                yield keyed(_of_nobody(key, listener_set))
        elif added.allowed.ok:
            yield from _of_listeners(reader, attached, key, listener_set.spec.listeners)
        else:
            yield keyed(_not_allowed(key, added.allowed))

    return Derived(graph, "problems of listener sets", sets, rows)


def _of_listeners(
    reader: Reader, attached: Attached, key: Key, listeners: Iterable[Listener]
) -> Iterator[tuple[ProblemKey, Problem]]:
    for position, listener in enumerate(listeners):
        state = reader.get(attached.listeners, ListenerKey(key, listener.name))
        if state is not None:
            path = f"spec.listeners[{position}]"
            yield from (keyed(problem) for problem in _of_listener(key, state, path))


def _of_nobody(key: Key, listener_set: ListenerSet) -> Problem:
    parent = listener_set.spec.parent_ref
    shown = f"{parent.kind} {parent.namespace or key.namespace}/{parent.name}"
    return Problem(
        code="SER0307",
        severity="warning",
        message=f"its listeners are nowhere: {shown} is no Gateway of ours",
        remedy="Correct spec.parentRef: kind, group, namespace and name.",
        key=key,
        path="spec.parentRef",
    )


def _not_allowed(key: Key, verdict: Verdict) -> Problem:
    return Problem(
        code="SER0303",
        severity="error",
        message=f"its listeners are not served: {verdict.message}",
        remedy="Widen allowedListeners of the Gateway, or move the ListenerSet.",
        key=key,
        path="spec.parentRef",
    )


def _not_ours(key: Key, gateway: Gateway) -> Problem:
    known = ", ".join(sorted(OWN_CLASSES | BORROWED_CLASSES))
    return Problem(
        code="SER0308",
        severity="warning",
        message=f'class "{gateway.spec.gateway_class_name}" is not ours, so this Gateway is left'
        " alone and nothing attaches to it",
        remedy=f"Without a GatewayClass object these are ours: {known}.",
        key=key,
        path="spec.gatewayClassName",
    )


def _without(key: Key, unusable: tuple[str, ...]) -> Problem:
    return Problem(
        code="SER0310",
        severity="warning",
        message=f"this machine has no address {', '.join(unusable)}, so that it is not listened on;"
        " the others are",
        remedy="Nothing, where no client comes that way; else turn IPv6 on, or say where to listen"
        " (--proxy-bind, --bind).",
        key=key,
    )


def _no_default(key: Key) -> Problem:
    return Problem(
        code="SER0007",
        severity="warning",
        message="spec.defaultScope has no effect: a waypoint is no default gateway",
        remedy="Write it to a Gateway that is no waypoint.",
        key=key,
        path="spec.defaultScope",
    )


def _of_listener(key: Key, state: ListenerState, path: str) -> Iterator[Problem]:
    for verdict in (state.accepted, state.resolved):
        if not verdict.ok:
            yield Problem(
                code="SER0305" if state.conflict else "SER0309",
                severity="error",
                message=f"listener {state.listener.name} {_fate(state)}: {verdict.message}",
                remedy=_remedy(verdict),
                key=key,
                path=path,
            )


def _fate(state: ListenerState) -> str:
    return "is served, but not as written" if state.served else "is not served"


def _remedy(verdict: Verdict) -> str:
    if verdict.reason == "HostnameConflict":
        return "Give each listener of a port another hostname."
    return "Correct it; the other listeners are served."
