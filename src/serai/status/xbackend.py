"""The status of XBackends, for each Gateway that sends to one.  Gateway API: BackendStatus."""

from __future__ import annotations

from serai.api.gateway import GROUP, ParentReference
from serai.api.meta import Key
from serai.api.xbackend import XBackend
from serai.attach.gateways import CONTROLLER
from serai.attach.verdict import ACCEPTED, RESOLVED, refused
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.status.values import RouteParentStatus, RouteStatus, condition
from serai.translate.applied import Applied


def xbackend_statuses(
    graph: Graph, backends: Node[Key, XBackend], done: Applied
) -> Derived[Key, RouteStatus]:
    """Accepted and ResolvedRefs; what TLS asks for and cannot have is in both."""

    def status(reader: Reader, key: Key, backend: XBackend) -> RouteStatus | None:
        refusal = next(done.refusals(reader, key), None)
        verdicts = {"Accepted": ACCEPTED, "ResolvedRefs": RESOLVED}
        if refusal is not None:
            words = f"{refusal.path}: {refusal.message}"
            verdicts = {
                "Accepted": refused("Invalid", words),
                "ResolvedRefs": refused(refusal.reason, words),
            }
        found = tuple(
            condition(kind, each, backend.metadata.generation) for kind, each in verdicts.items()
        )
        parents = tuple(
            RouteParentStatus(
                ParentReference(each.name, GROUP, "Gateway", each.namespace), CONTROLLER, found
            )
            for each in done.gateways(reader, key)
        )
        return RouteStatus(parents) if parents else None

    return mapped(graph, "statuses of XBackend", backends, status)
