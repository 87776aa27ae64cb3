"""SER1105, SER1106: Backends that cannot be sent to, or not to all that they name."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.kgateway_backend import Backend
from serai.api.meta import Key
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader
from serai.model.from_backend import members_of


def backend_problems(graph: Graph, backends: Node[Key, Backend]) -> Derived[ProblemKey, Problem]:
    """What is wrong with each Backend."""

    def rows(reader: Reader, key: Key, backend: Backend) -> Iterator[tuple[ProblemKey, Problem]]:
        def find(name: str) -> Backend | None:
            return reader.get(backends, Key("Backend", key.namespace, name))

        for kind in ("aws", "gcp"):
            if getattr(backend.spec, kind) is not None:
                path = f"spec.{kind}"
                message = f"{path} is not supported; routes to it answer 500"
                remedy = "Send to it as a ServiceEntry, with what it needs in policies."
                yield keyed(Problem("SER1105", "error", message, remedy, key, path))
        for each in members_of(backend, find):
            if each.fault:
                path = f"spec.priorityGroups[{each.group}].backendRefs"
                message = f"{path}: {each.fault}; nothing is sent there"
                remedy = "Name static Backends of the namespace."
                yield keyed(
                    Problem("SER1106", "error", message, remedy, key, f"{path} {each.name}")
                )

    return Derived(graph, "problems of Backends", backends, rows)
