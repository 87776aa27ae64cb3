"""SER1003: GatewayExtensions that cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.gateway_extension import GatewayExtension
from serai.api.meta import Key
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader
from serai.translate.extension_references import provided, unresolved
from serai.translate.policies import Looks


def extension_problems(
    graph: Graph, extensions: Node[Key, GatewayExtension], looks: Looks
) -> Derived[ProblemKey, Problem]:
    """What is wrong with each, whether or not a policy names it."""

    def rows(
        reader: Reader, key: Key, extension: GatewayExtension
    ) -> Iterator[tuple[ProblemKey, Problem]]:
        found = provided(extension)
        if not found.ok:
            remedy = "Keep one provider."
            yield keyed(Problem("SER1003", "error", found.message, remedy, key, "spec"))
        for path, verdict in unresolved(reader, looks, key, extension):
            message = f"{verdict.message}; policies that name it cannot ask"
            remedy = "Correct it, or write what it names."
            yield keyed(Problem("SER1003", "error", message, remedy, key, path))

    return Derived(graph, "problems of GatewayExtensions", extensions, rows)
