"""Routes, parent by parent: whether each took it, whether its backends were found, and where."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.gateway import GROUP, ParentReference
from serai.api.meta import Condition, Key
from serai.api.routes import Route, hostnames_of
from serai.attach.routes import (
    Attachment,
    AttachmentKey,
    ListenerTarget,
    ServiceTarget,
    WaypointTarget,
)
from serai.status.values import RouteStatus
from serai.views.row import Row
from serai.views.state import State

NOT_OURS = "NotOurs"


class RouteRow(Row, frozen=True):
    """One parentRef of a route."""

    namespace: str
    name: str
    kind: str
    parent: str
    """Such as ``Gateway infra/edge`` or ``Hostname pay.example port 80``."""
    accepted: bool | None
    """None where the parent is another controller's."""
    resolved: bool | None
    """Whether everything it refers to was found and may be referred to."""
    reason: str
    """Of the first condition that isn't as it should be, in a word."""
    message: str
    hostnames: tuple[str, ...]
    attached_to: tuple[str, ...]
    """Such as ``listener http of infra/edge`` or ``ServiceEntry shop/pay port 80``."""


def route_rows(state: State) -> list[RouteRow]:
    """Every parentRef of every route, by namespace and name."""
    routes = state.pipeline.inputs.routes
    listed = sorted(routes.items(), key=lambda item: (item[0].namespace, item[0].name))
    return [row for key, route in listed for row in rows_of_route(state, key, route)]


def rows_of_route(state: State, key: Key, route: Route) -> Iterator[RouteRow]:
    """One row for each parentRef of a route; one that says so for a route without any."""
    status = state.pipeline.statuses.row(key)
    conditions = {
        parent.parent_ref: {each.type: each for each in parent.conditions}
        for parent in (status.parents if isinstance(status, RouteStatus) else ())
    }
    attachments = state.pipeline.attached.attachments
    written = route.spec.parent_refs
    found = sorted(state.pipeline.attached.of_route.row(key) or ())
    implied = [each for each in found if each.position >= len(written)]
    parents = [*written, *(row.parent for each in implied if (row := attachments.row(each)))]
    if not parents:
        yield _row(key, route, "none", None, {})
    for position, parent in enumerate(parents):
        attachment = attachments.row(AttachmentKey(key, position))
        shown = parent_name(parent, key.namespace)
        yield _row(key, route, shown, attachment, conditions.get(parent, {}))


def parent_name(parent: ParentReference, namespace: str) -> str:
    """A parentRef as a person would say it; the Gateway API's group goes without saying."""
    core = parent.group in {"", "core", GROUP} or parent.kind in {"ServiceEntry", "Hostname"}
    kind = parent.kind if core else f"{parent.group}/{parent.kind}"
    name = parent.name if parent.kind == "Hostname" else f"{parent.namespace or namespace}/"
    name = name if parent.kind == "Hostname" else name + parent.name
    section = f" section {parent.section_name}" if parent.section_name else ""
    port = f" port {parent.port}" if parent.port else ""
    return f"{kind} {name}{section}{port}"


def target_name(target: ListenerTarget | WaypointTarget | ServiceTarget) -> str:
    """What a route attaches to, as a person would say it."""
    match target:
        case ListenerTarget(listener):
            parent = listener.parent
            return f"listener {listener.name} of {parent.namespaced_name}"
        case WaypointTarget(waypoint):
            return f"all that waypoint {waypoint.namespaced_name} captures"
        case ServiceTarget(service, host, port, clients):
            parts = [str(service)]
            parts += [f"host {host}"] if host else []
            parts += [f"port {port}"] if port else []
            parts += [f"for clients of namespace {clients}"] if clients else []
            return " ".join(parts)


def _row(
    key: Key,
    route: Route,
    parent: str,
    attachment: Attachment | None,
    conditions: dict[str, Condition],
) -> RouteRow:
    wrong = next((each for each in conditions.values() if each.status == "False"), None)
    targets = attachment.targets if attachment else ()
    return RouteRow(
        namespace=key.namespace,
        name=key.name,
        kind=key.kind,
        parent=parent,
        accepted=_truth(conditions.get("Accepted")),
        resolved=_truth(conditions.get("ResolvedRefs")),
        reason=NOT_OURS if attachment is None else wrong.reason if wrong else "Accepted",
        message=wrong.message if wrong else "",
        hostnames=hostnames_of(route),
        attached_to=tuple(target_name(target) for target in targets),
    )


def _truth(condition: Condition | None) -> bool | None:
    return condition.status == "True" if condition else None
