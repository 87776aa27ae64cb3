"""The status of DirectResponses.  As in kgateway: PolicyStatus, the ancestors are routes."""

from __future__ import annotations

from serai.api.direct_response import DirectResponse
from serai.api.meta import Key
from serai.attach.gateways import CONTROLLER
from serai.attach.verdict import ACCEPTED, ATTACHED
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.status.policy import MOST_ANCESTORS, naming_routes
from serai.status.values import PolicyAncestorStatus, PolicyStatus, condition
from serai.translate.collections import Attached


def direct_response_statuses(
    graph: Graph, answers: Node[Key, DirectResponse], attached: Attached
) -> Derived[Key, PolicyStatus]:
    """The status of each answer that a route names."""

    def status(reader: Reader, key: Key, answer: DirectResponse) -> PolicyStatus | None:
        generation = answer.metadata.generation
        conditions = (
            condition("Accepted", ACCEPTED, generation),
            condition("Attached", ATTACHED, generation),
        )
        ancestors = [
            PolicyAncestorStatus(route, CONTROLLER, conditions)
            for route in naming_routes(reader, attached, key)
        ]
        return PolicyStatus(tuple(ancestors[:MOST_ANCESTORS])) if ancestors else None

    return mapped(graph, "statuses of direct responses", answers, status)
