"""The status of kgateway's Backends: whether they can be sent to."""

from __future__ import annotations

from serai.api.kgateway_backend import Backend
from serai.api.meta import Key
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.model.from_backend import members_of
from serai.status.values import ConditionsStatus, condition


def backend_statuses(graph: Graph, backends: Node[Key, Backend]) -> Derived[Key, ConditionsStatus]:
    """The status of each Backend."""

    def status(reader: Reader, key: Key, backend: Backend) -> ConditionsStatus:
        def find(name: str) -> Backend | None:
            return reader.get(backends, Key("Backend", key.namespace, name))

        members = members_of(backend, find)
        faults = [each.fault for each in members if each.fault]
        usable = [each for each in members if each.hosts]
        verdicts = {"Accepted": _accepted(backend)}
        if faults:
            verdicts["ResolvedRefs"] = refused("BackendNotFound", "; ".join(faults))
        if faults and not usable:
            verdicts["Accepted"] = refused("Invalid", "none of its Backends can be sent to")
        generation = backend.metadata.generation
        conditions = (condition(kind, each, generation) for kind, each in verdicts.items())
        return ConditionsStatus(tuple(conditions))

    return mapped(graph, "statuses of Backend", backends, status)


def _accepted(backend: Backend) -> Verdict:
    for kind in ("aws", "gcp"):
        if getattr(backend.spec, kind) is not None:
            words = f"spec.{kind} is not supported; routes to it answer 500"
            return refused("Unsupported", words)
    return ACCEPTED
