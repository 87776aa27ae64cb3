"""SER07: what Envoy refused, told on the objects it came from."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader
from serai.translate.names import is_spare
from serai.xds.refusals import BY_ENVOY, Refusal
from serai.xds.snapshot import SnapshotKey


def refusal_problems(
    graph: Graph, refusals: Node[SnapshotKey, Refusal]
) -> Derived[ProblemKey, Problem]:
    """A problem for every object that a refused resource came from."""

    def rows(_: Reader, key: SnapshotKey, refusal: Refusal) -> Iterator[tuple[ProblemKey, Problem]]:
        where = f"{key.proxy.namespaced_name} {refusal.resource.name}"
        for origin in refusal.origins:
            yield keyed(
                Problem(
                    code=refusal.code,
                    severity="warning" if is_spare(refusal.resource.name) else "error",
                    message=_words(refusal, where),
                    remedy=refusal.remedy,
                    key=origin.key,
                    path=origin.path,
                )
            )

    return Derived(graph, "problems of refusals", refusals, rows)


def _words(refusal: Refusal, where: str) -> str:
    if refusal.code != BY_ENVOY:
        return refusal.message
    others = len(refusal.origins) - 1
    shared = f" ({others} other objects have a part in it)" if others else ""
    said = refusal.message.rstrip(".")
    return (
        f"Envoy refused {where}{shared}: {said}. What it had before stays in force;"
        " everything else is up to date."
    )
