"""SER06: traffic distributions that nobody knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from serai.api.core import Service
from serai.api.fields_check import nearest_name
from serai.api.meta import Key, Object
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader, Union
from serai.model.distribution import ANNOTATION, OF_ANNOTATION, OF_SPEC, wished
from serai.model.inputs import Inputs


def distribution_problems(graph: Graph, inputs: Inputs) -> Union[ProblemKey, Problem]:
    """What the field or the annotation asks for, and is not known."""
    sources: tuple[Node[Key, Object], ...] = (
        inputs.services,
        inputs.service_entries,
        inputs.namespaces,
    )
    return Union(
        graph,
        "problems of traffic distributions",
        tuple(
            Derived(graph, f"problems of traffic distributions of {each.name}", each, _rows)
            for each in sources
        ),
    )


def _rows(_: Reader, key: Key, row: Object) -> Iterator[tuple[ProblemKey, Problem]]:
    spec = row.spec.traffic_distribution if isinstance(row, Service) else ""
    if spec and spec not in OF_SPEC:
        yield keyed(_unknown(key, "spec.trafficDistribution", spec, OF_SPEC))
    written = row.metadata.annotations.get(ANNOTATION)
    if written is not None and wished(row.metadata.annotations) is None:
        path = f"metadata.annotations[{ANNOTATION}]"
        yield keyed(_unknown(key, path, written, OF_ANNOTATION))


def _unknown(key: Key, path: str, value: str, known: Mapping[str, object]) -> Problem:
    near = nearest_name(value, tuple(known))
    meant = f"Did you mean {near}? " if near else ""
    return Problem(
        code="SER0602",
        severity="warning",
        message=f"{path} is {value!r}, which is no traffic distribution; it is as if it were not"
        " written",
        remedy=f"{meant}It can be {', '.join(known)}.",
        key=key,
        path=path,
    )
