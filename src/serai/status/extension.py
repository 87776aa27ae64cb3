"""The status of GatewayExtensions."""

from __future__ import annotations

from serai.api.gateway_extension import GatewayExtension
from serai.api.meta import Key
from serai.attach.verdict import RESOLVED
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.status.values import ConditionsStatus, condition
from serai.translate.extension_references import provided, unresolved
from serai.translate.policies import Looks


def extension_statuses(
    graph: Graph, extensions: Node[Key, GatewayExtension], looks: Looks
) -> Derived[Key, ConditionsStatus]:
    """Accepted and ResolvedRefs of each GatewayExtension."""

    def status(reader: Reader, key: Key, extension: GatewayExtension) -> ConditionsStatus:
        missing = (verdict for _, verdict in unresolved(reader, looks, key, extension))
        verdicts = {"Accepted": provided(extension), "ResolvedRefs": next(missing, RESOLVED)}
        generation = extension.metadata.generation
        conditions = (condition(kind, each, generation) for kind, each in verdicts.items())
        return ConditionsStatus(tuple(conditions))

    return mapped(graph, "statuses of GatewayExtension", extensions, status)
