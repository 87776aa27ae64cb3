"""SER03: GatewayParameters that cannot be used, or that nothing comes of."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from serai.api.gateway_parameters import GatewayParameters
from serai.api.meta import Key
from serai.api.problem import Problem
from serai.api.validate_gateway_parameters import check_gateway_parameters
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader
from serai.model.settings import Settings


def parameter_problems(
    graph: Graph, found: Node[Key, GatewayParameters], settings: Settings
) -> Derived[ProblemKey, Problem]:
    """What is wrong in each; where nothing is deployed, that it changes nothing."""

    def rows(
        _: Reader, key: Key, parameters: GatewayParameters
    ) -> Iterator[tuple[ProblemKey, Problem]]:
        for fault in check_gateway_parameters(parameters.spec):
            yield keyed(msgspec.structs.replace(fault, key=key))
        if settings.standalone and parameters.spec.kube is not None:
            yield keyed(_of_no_effect(key))

    return Derived(graph, "problems of GatewayParameters", found, rows)


def _of_no_effect(key: Key) -> Problem:
    return Problem(
        code="SER0311",
        severity="warning",
        message="it changes nothing here: nothing is deployed, Envoys run on this machine",
        remedy="Nothing to do; `serai controller` deploys by it.",
        key=key,
        path="spec.kube",
    )
