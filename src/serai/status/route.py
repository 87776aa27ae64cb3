"""The status of routes, for each parent of ours.  Gateway API: RouteParentStatus."""

from __future__ import annotations

from serai.api.meta import Condition, Key
from serai.api.routes import Route
from serai.attach.gateways import CONTROLLER
from serai.attach.routes import Attachment
from serai.attach.verdict import Verdict, refused
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.status.values import RouteParentStatus, RouteStatus, condition
from serai.translate.collections import Attached
from serai.translate.rules import CompiledRoute
from serai.xds.refusals import Refusals

PROGRAMMED = "serai.dev/Programmed"


def route_statuses(
    graph: Graph, routes: Node[Key, Route], attached: Attached, refusals: Refusals
) -> Derived[Key, RouteStatus]:
    """The status of each route that names a parent of ours."""

    def status(reader: Reader, key: Key, route: Route) -> RouteStatus | None:
        parents: list[RouteParentStatus] = []
        refusal = next(iter(refusals.of_object(reader, key)), None)
        programmed = (
            refused("Rejected", f"Envoy refused {refusal.resource.name}: {refusal.message}")
            if refusal
            else None
        )
        for attachment_key in sorted(reader.members(attached.of_route, key)):
            attachment = reader.get(attached.attachments, attachment_key)
            compiled = reader.get(attached.compiled, attachment_key)
            if attachment is not None and compiled is not None:
                generation = route.metadata.generation
                found = _conditions(attachment, compiled, programmed, generation)
                parents.append(RouteParentStatus(attachment.parent, CONTROLLER, found))
        return RouteStatus(tuple(parents)) if parents else None

    return mapped(graph, "statuses of routes", routes, status)


def _conditions(
    attachment: Attachment, compiled: CompiledRoute, programmed: Verdict | None, generation: int
) -> tuple[Condition, ...]:
    verdicts = {"Accepted": attachment.verdict, "ResolvedRefs": compiled.resolved}
    words = "; ".join(each.words for each in compiled.dropped)
    if compiled.dropped and attachment.verdict.ok and compiled.does_nothing:
        verdicts["Accepted"] = refused(compiled.dropped[0].reason, words)
    elif compiled.dropped:
        verdicts["PartiallyInvalid"] = Verdict(ok=True, reason="UnsupportedValue", message=words)
    if programmed is not None:
        verdicts[PROGRAMMED] = programmed
    return tuple(condition(kind, verdict, generation) for kind, verdict in verdicts.items())
