"""SER02 and SER03: routes that attach to nothing or refer to nothing."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.api.routes import Route
from serai.attach.routes import AttachmentKey
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader
from serai.translate.collections import Attached

_REFERENCE_CODES = {
    "RefNotPermitted": "SER0202",
    "InvalidKind": "SER0203",
    "BackendNotFound": "SER0204",
    "InvalidDestination": "SER0206",
    "UnsupportedProtocol": "SER0208",
}
_PARENT_CODES = {
    "NoMatchingParent": "SER0201",
    "NotAllowedByListeners": "SER0303",
    "NoMatchingListenerHostname": "SER0302",
}
_REMEDIES = {
    "NoMatchingParent": "Correct the parentRef, or write or label what it names.",
    "NotAllowedByListeners": "Widen allowedRoutes there, or move the route.",
    "NoMatchingListenerHostname": "Let the hostnames of route and listener meet.",
    "Conflicted": "Give each kind of route hostnames or ports of its own.",
    "IncompatibleFilters": "Keep one of the filters.",
}
_FATES = {
    "HTTPRoute": "Its share of the requests is answered 500",
    "GRPCRoute": "Its share of the calls is answered UNAVAILABLE",
}
_DEFAULTS = "spec.useDefaultGateways"
_CLOSED = "Its share of the connections is closed"


def route_problems(
    graph: Graph, routes: Node[Key, Route], attached: Attached
) -> Derived[ProblemKey, Problem]:
    """What is wrong with each route, parent by parent."""

    def rows(reader: Reader, key: Key, route: Route) -> Iterator[tuple[ProblemKey, Problem]]:
        found: dict[ProblemKey, Problem] = {}
        mine = sorted(reader.members(attached.of_route, key))
        for each in mine:
            path = f"spec.parentRefs[{each.position}]"
            path = path if each.position < len(route.spec.parent_refs) else _DEFAULTS
            found.update(keyed(problem) for problem in _of_parent(reader, attached, each, path))
        if not mine:
            found.update([keyed(_nowhere(key, route))])
        yield from found.items()

    return Derived(graph, "problems of routes", routes, rows)


def _of_parent(
    reader: Reader, attached: Attached, key: AttachmentKey, where: str
) -> Iterator[Problem]:
    attachment = reader.get(attached.attachments, key)
    compiled = reader.get(attached.compiled, key)
    if attachment is None or compiled is None:
        return
    verdict = attachment.verdict
    if not verdict.ok:
        yield Problem(
            code=_PARENT_CODES.get(verdict.reason, "SER0301"),
            severity="error",
            message=f"not attached: {verdict.message}",
            remedy=_REMEDIES.get(verdict.reason, ""),
            key=key.route,
            path=where,
        )
    for path, invalid in compiled.invalid:
        yield Problem(
            code=_REFERENCE_CODES.get(invalid.reason, "SER0204"),
            severity="error",
            message=f"{invalid.message}. {_FATES.get(key.route.kind, _CLOSED)}.",
            remedy="Correct the reference, or write what it names.",
            key=key.route,
            path=path,
        )
    for each in compiled.dropped:
        yield Problem(
            code="SER0304",
            severity="error",
            message=each.words,
            remedy="Rewrite it; the other rules are in force.",
            key=key.route,
            path=each.path,
        )


def _nowhere(key: Key, route: Route) -> Problem:
    if route.spec.use_default_gateways == "All" and not route.spec.parent_refs:
        return Problem(
            code="SER0307",
            severity="warning",
            message="attaches to nothing of ours: it asks for the default gateways, and there are"
            " none",
            remedy="Write defaultScope: All in the spec of a Gateway, or name one in parentRefs.",
            key=key,
            path=_DEFAULTS,
        )
    return Problem(
        code="SER0307",
        severity="warning",
        message="attaches to nothing of ours: none of its parentRefs names a Gateway of a class of"
        " ours, a Service, a ServiceEntry or a Hostname",
        remedy="Correct spec.parentRefs: kind, group, namespace and name.",
        key=key,
        path="spec.parentRefs",
    )
