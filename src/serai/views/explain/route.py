"""A route explained: what each parent made of it, and where each rule sends."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.api.routes import Route, hostnames_of
from serai.attach.routes import AttachmentKey
from serai.views.explain import words
from serai.views.explain.explanation import Explanation, Line
from serai.views.explain.policies import policy_line
from serai.views.explain.subject import Subject
from serai.views.routes import NOT_OURS, RouteRow, rows_of_route


def explain_route(subject: Subject, key: Key, route: Route) -> Explanation:
    """Everything that applies to a route."""
    rows = list(rows_of_route(subject.state, key, route))
    hostnames = " ".join(hostnames_of(route))
    headline = [f"hostnames {hostnames}"] if hostnames else []
    lines = [Line("parent", row.parent, tuple(_verdict(row))) for row in rows]
    lines += _rules(subject, key, len(rows))
    return subject.explanation(key, headline, [*lines, policy_line(subject.attached, key)])


def _verdict(row: RouteRow) -> Iterator[str]:
    if row.reason == NOT_OURS:
        yield "not ours: no Gateway of a class of ours, no Service, ServiceEntry or Hostname"
        return
    if row.accepted:
        yield f"attached to {', '.join(row.attached_to)}"
    else:
        yield f"not attached ({row.reason}): {row.message}"
    if row.accepted and row.message:
        yield f"{row.reason}: {row.message}"


def _rules(subject: Subject, key: Key, parents: int) -> Iterator[Line]:
    """Its rules in the order in which they are tried, once for all parents that see them alike."""
    seen: set[tuple[str, ...]] = set()
    for position in range(parents):
        compiled = subject.attached.compiled.row(AttachmentKey(key, position))
        ranked = sorted(compiled.routes, key=lambda each: each.rank) if compiled else []
        said = tuple(words.route(each.route).partition(" rule ")[2] for each in ranked)
        if said and said not in seen:
            seen.add(said)
            yield Line("rules", f"rule {said[0]}", tuple(f"rule {each}" for each in said[1:]))
