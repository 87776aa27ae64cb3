"""SER07: what Envoy refused, told on the objects it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serai.api.problem import Problem
from serai.check.problems import ProblemKey
from serai.incremental import Derived, Graph, Index, Node, Reader, mapped
from serai.translate.names import is_spare
from serai.xds.refusals import BY_ENVOY, Refusal
from serai.xds.snapshot import SnapshotKey


def refusal_problems(
    graph: Graph, refusals: Node[SnapshotKey, Refusal]
) -> Derived[ProblemKey, Problem]:
    """A problem for every object that refused resources came from: one, however many they are."""
    by_problem: Index[ProblemKey, SnapshotKey] = Index(
        graph, "refusals by problem", refusals, _problems
    )

    def problem(reader: Reader, key: ProblemKey, _: Sequence[SnapshotKey]) -> Problem:
        rows = sorted(reader.rows(by_problem, key, refusals), key=lambda row: _is_minor(row[0]))
        first, refusal = rows[0]
        where = f"{first.proxy.namespaced_name} {first.resource.name}"
        return Problem(
            code=key.code,
            severity="warning" if _is_minor(first) else "error",
            message=" ".join([_words(refusal, where), *_more(refusal, rows)]),
            remedy=refusal.remedy,
            key=key.key,
            path=key.path,
        )

    return mapped(graph, "problems of refusals", by_problem, problem)


def _problems(_: SnapshotKey, refusal: Refusal) -> Iterator[ProblemKey]:
    for origin in refusal.origins:
        yield ProblemKey(origin.key, refusal.code, origin.path)


def _is_minor(key: SnapshotKey) -> bool:
    return is_spare(key.resource.name)


def _more(first: Refusal, rows: Sequence[tuple[SnapshotKey, Refusal]]) -> Iterator[str]:
    """What else the problem is about: of ports each says its own, of the rest how many it is."""
    others = [row for _, row in rows if row is not first]
    if first.code != BY_ENVOY:
        yield from dict.fromkeys(row.message for row in others if row.message != first.message)
    elif others:
        yield f"So it is with {len(others)} more of what came from here."


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
