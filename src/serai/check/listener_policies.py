"""SER10: listener policies that apply to nothing, ask for what cannot be done, or reach further."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.attach.gateways import Role
from serai.attach.listeners import ListenerKey, ListenerState
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Reader
from serai.listener_policies import BY_FIELD, SETTINGS
from serai.translate.collections import Attached
from serai.translate.listener_policies import CompiledListenerPolicy


def listener_policy_problems(graph: Graph, attached: Attached) -> Derived[ProblemKey, Problem]:
    """What is wrong with each listener policy."""

    def rows(
        reader: Reader, _: Key, policy: CompiledListenerPolicy
    ) -> Iterator[tuple[ProblemKey, Problem]]:
        for position, target in enumerate(policy.targets):
            if not target.verdict.ok:
                message = f"applies to nothing there: {target.verdict.message}"
                remedy = "Correct the target, or write what it names."
                path = f"spec.targetRefs[{position}]"
                yield keyed(Problem("SER1001", "error", message, remedy, policy.key, path))
        for fault in policy.faults:
            remedy = "Correct it; the policy's other fields are in force."
            message = f"{fault.message}. {_consequence(fault.path)}"
            yield keyed(Problem("SER1002", "error", message, remedy, policy.key, fault.path))
        for problem in _unheard(reader, attached, policy):
            yield keyed(problem)

    compiled = attached.listener_policies.compiled
    return Derived(graph, "problems of listener policies", compiled, rows)


def _consequence(path: str) -> str:
    closed = (each.closed for each in SETTINGS if each.closed and f".{each.field}" in path)
    return next(closed, "It is left out")


def _unheard(
    reader: Reader, attached: Attached, policy: CompiledListenerPolicy
) -> Iterator[Problem]:
    for key in (key for target in policy.targets for key in target.keys):
        proxy = reader.get(attached.proxies, key.object)
        if proxy is not None and proxy.role is Role.WAYPOINT:
            for leaf in (leaf for each in policy.ports for leaf in each.leaves):
                if BY_FIELD[leaf.feature].at_gateways:
                    message = f"{key.object} is a waypoint, whose clients always use its own"
                    remedy = "Remove it, or name gateways only."
                    path = leaf.origin.path
                    yield Problem("SER1020", "warning", message, remedy, policy.key, path)
        if key.section:
            yield from _shared(reader, attached, policy, key.object, key.section)


def _shared(
    reader: Reader, attached: Attached, policy: CompiledListenerPolicy, place: Key, section: str
) -> Iterator[Problem]:
    """What is asked of one listener and holds for others of its port."""
    mine = reader.get(attached.listeners, ListenerKey(place, section))
    if mine is None or mine.role is Role.WAYPOINT:
        return
    rows = reader.rows(attached.of_proxy, mine.gateway, attached.listeners)
    states = [state for _, state in rows]
    others = [each for each in states if each.key != mine.key and _beside(each, mine)]
    if not others:
        return
    fields = {
        leaf.feature
        for leaf in policy.at_port(mine.listener.port)
        if not mine.told_by_sni or BY_FIELD[leaf.feature].of_port
    }
    if fields:
        named = ", ".join(sorted(each.key.name for each in others))
        message = (
            f"listeners of one port share {', '.join(sorted(fields))} in Envoy: what is asked of"
            f" {section} holds for {named} too"
        )
        remedy = "Give the listener a port of its own, or name the whole Gateway."
        yield Problem("SER1021", "warning", message, remedy, policy.key, "spec.targetRefs")


def _beside(one: ListenerState, other: ListenerState) -> bool:
    return one.served and one.listener.port == other.listener.port
