"""Workloads and Namespaces explained."""

from __future__ import annotations

from serai.api.meta import Key
from serai.api.networking import USE_WAYPOINT
from serai.model.service import backends
from serai.model.waypoint_labels import USE_WAYPOINT_NAMESPACE
from serai.model.workload import Workload
from serai.views.explain.explanation import Explanation, Line
from serai.views.explain.subject import Subject
from serai.views.health import joined
from serai.views.problems import counted
from serai.views.row import locality_name


def explain_workload(subject: Subject, workload: Workload) -> Explanation:
    """What a Pod or a WorkloadEntry is an endpoint of, and what not."""
    state = "terminating" if workload.terminating else "ready" if workload.ready else "not ready"
    headline = [f"address {' '.join(workload.addresses) or 'none'}", state]
    if locality := locality_name(workload.locality):
        headline.append(f"locality {locality}")
    lines: list[Line] = []
    services = subject.attached.catalog.services
    for key, service in sorted(services.items()):
        if key.namespace != workload.key.namespace:
            continue
        for backend in backends(service):
            for member in subject.members.of(backend):
                if member.source == str(workload.key) or member.address in workload.addresses:
                    where = f"{key} port {backend.key.port}"
                    as_ = f"   as {joined(member.address, member.port)}"
                    label = "endpoint of" if member.ready else "not used by"
                    lines.append(Line(label, where + (as_ if member.ready else f": {member.why}")))
    lines += _captured(subject, workload)
    lines = list(dict.fromkeys(lines)) or [Line("endpoint of", "nothing: no selector picks it")]
    return subject.explanation(workload.key, headline, lines)


def _captured(subject: Subject, workload: Workload) -> list[Line]:
    """What takes what is sent to its own addresses, where something is to."""
    capture = subject.attached.workloads.captures.row(workload.key)
    if capture is None:
        return []
    bound = capture.bound_to
    if bound is None:
        return [Line("not captured", f"at its own address: {capture.verdict.message}")]
    where = bound.namespaced_name
    return [Line("captured by", f"{where} at its own address", (f"because {capture.because}",))]


def explain_namespace(subject: Subject, key: Key) -> Explanation:
    """What a Namespace asks for and holds; one that nobody wrote has no labels."""
    written = subject.pipeline.inputs.namespaces.row(key)
    labels = written.metadata.labels if written else {}
    asked = [
        f"{name}={labels[name]}"
        for name in (USE_WAYPOINT, USE_WAYPOINT_NAMESPACE)
        if name in labels
    ]
    captures = subject.attached.captures.items()
    mine = sorted(
        (each.service, each) for _, each in captures if each.service.namespace == key.name
    )
    taken = [service for service, capture in mine if capture.bound_to]
    lines = [
        Line("asks for", ", ".join(asked) or f"no waypoint: no label {USE_WAYPOINT}"),
        Line("services", f"{counted(len(mine), 'service')}, {len(taken)} captured"),
        *(
            Line("not captured", f"{service}: {capture.verdict.message}")
            for service, capture in mine
            if not capture.bound_to
        ),
    ]
    headline = [] if written else ["not written in any file: it has no labels"]
    return subject.explanation(key, headline, lines)
