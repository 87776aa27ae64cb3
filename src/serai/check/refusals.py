"""SER07: what Envoy refused, told on the objects it came from."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader
from serai.xds.refusals import Refusal
from serai.xds.snapshot import SnapshotKey


def refusal_problems(
    graph: Graph, refusals: Node[SnapshotKey, Refusal]
) -> Derived[ProblemKey, Problem]:
    """A problem for every object that a refused resource came from."""

    def rows(_: Reader, key: SnapshotKey, refusal: Refusal) -> Iterator[tuple[ProblemKey, Problem]]:
        where = f"{key.proxy.namespace}/{key.proxy.name} {refusal.resource.name}"
        for origin in refusal.origins:
            others = len(refusal.origins) - 1
            shared = f" ({others} other objects have a part in it)" if others else ""
            yield keyed(
                Problem(
                    code="SER0701",
                    severity="error",
                    message=f"the Envoy of {where} does not have this in force: {refusal.message}"
                    f"{shared}. What it had before stays in force; everything else is up to date.",
                    remedy="Correct the object; a new version is sent at once.",
                    key=origin.key,
                    path=f"{where} {origin.path}".rstrip(),
                )
            )

    return Derived(graph, "problems of refusals", refusals, rows)
