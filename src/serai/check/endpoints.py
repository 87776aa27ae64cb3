"""SER06: endpoints that cannot be sent to."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.api.networking import ServiceEntry, WorkloadEntry
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader


def inline_problems(graph: Graph, entries: Node[Key, ServiceEntry]) -> Derived[ProblemKey, Problem]:
    """Endpoints in ServiceEntries that have a network and no address."""

    def rows(_: Reader, key: Key, entry: ServiceEntry) -> Iterator[tuple[ProblemKey, Problem]]:
        for index, each in enumerate(entry.spec.endpoints):
            if each.network and not each.address:
                yield keyed(_elsewhere(key, f"spec.endpoints[{index}]", each.network))

    return Derived(graph, "problems of inline endpoints", entries, rows)


def workload_problems(
    graph: Graph, entries: Node[Key, WorkloadEntry]
) -> Derived[ProblemKey, Problem]:
    """WorkloadEntries that have a network and no address."""

    def rows(_: Reader, key: Key, entry: WorkloadEntry) -> Iterator[tuple[ProblemKey, Problem]]:
        if entry.spec.network and not entry.spec.address:
            yield keyed(_elsewhere(key, "spec", entry.spec.network))

    return Derived(graph, "problems of WorkloadEntries", entries, rows)


def _elsewhere(key: Key, path: str, network: str) -> Problem:
    return Problem(
        code="SER0601",
        severity="warning",
        message=f"{path} has no address, only network {network}, and no gateway of that network is"
        " known; nothing is sent to it",
        remedy="Give it an address that can be reached from here.",
        key=key,
        path=path,
    )
