"""What was found out about requests, as short texts to compare with what a step expects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from serai.api.problem import Problem
from serai.app.client.request import Outcome
from serai.app.demo.stand_ins import on_loopback
from serai.app.demo.steps import Step
from serai.app.demo.stream import Said
from serai.ir.cluster import Endpoint
from serai.model.addresses import with_port
from serai.trace.outcome import Answered, Forwarded, Redirected
from serai.trace.resolve import Unresolved
from serai.views.endpoints import EndpointRow, opinions_in_words
from serai.views.preferences import preferences_in_words
from serai.views.problems import ProblemRow
from serai.web.enter import WayIn

Facts = dict[str, str]
NONE = "none"
FORETOLD = "so"


def facts(outcomes: Sequence[Outcome | Problem]) -> Facts:
    """What is known of some equal requests: each fact once, or all of its values.

    `answered by`, `pod`, `path` and headers are what the endpoints themselves say.
    """
    found: dict[str, list[str]] = {}

    def note(name: str, value: object) -> None:
        found.setdefault(name, []).append(str(value or NONE))

    for outcome in outcomes:
        if isinstance(outcome, Problem):
            note("failure", outcome.message)
            continue
        note("status", outcome.answer.status)
        note("via", outcome.way.gateway)
        note("service", outcome.way.service)
        note("route", outcome.route)
        note("cluster", outcome.line.upstream_cluster if outcome.line else "")
        note("identity", outcome.line.peer_principal if outcome.line else "")
        note("trace said", _foretold(outcome))
        said = echoed(outcome.answer.body)
        for name, key in (("answered by", "endpoint"), ("pod", "pod"), ("path", "path")):
            note(name, said.get(key))
        note("server name", (said.get("tls") or {}).get("serverName"))
        for name, values in said.get("headers", {}).items():
            note(f"header {name.lower()}", ",".join(values))
    return {name: joined(values) for name, values in found.items()}


def of_unresolved(unresolved: Unresolved) -> Facts:
    """What is known of a request that leads to no proxy."""
    return {"failure": unresolved.reason}


def stream_facts(way: WayIn, said: Sequence[Said]) -> Facts:
    """What is known of some connections that a line was sent over."""
    found = {
        "via": way.gateway,
        "service": way.service or NONE,
        "answered by": joined(each.endpoint or NONE for each in said),
        "pod": joined(each.pod or NONE for each in said),
        "echoed": joined("yes" if each.echoed else "no" for each in said),
    }
    told = way.trace.outcome
    if isinstance(told, Forwarded):
        endpoints = {_where(each) for share in told.shares for each in share.endpoints}
        so = {each.endpoint for each in said} <= endpoints
        found["trace said"] = FORETOLD if so else joined(endpoints)
    else:
        found["trace said"] = str(told)
    return found


def endpoint_facts(rows: Iterable[EndpointRow]) -> Facts:
    """How some endpoints are, as `serai get endpoints` shows it: of each its status, and more."""
    listed = list(rows)
    found = {"endpoints": joined(each.address for each in listed) or NONE}
    for each in listed:
        found[each.address] = each.status
        found[f"{each.address} in"] = each.locality or NONE
        found[f"{each.address} network"] = each.network or NONE
        found[f"{each.address} priority"] = preferences_in_words(each.priorities)
        found[f"{each.address} envoys"] = opinions_in_words(each.envoys)
    return found


def expected_facts(step: Step) -> Facts:
    """What a step expects, as facts; of an answer also that the simulator foretold it."""
    wanted = {
        name: joined(map(str, fact)) if isinstance(fact, tuple) else str(fact)
        for name, fact in step.expect.items()
    }
    if step.foretold and not wanted.keys().isdisjoint(("status", "echoed")):
        wanted["trace said"] = FORETOLD
    if step.problems is not None:
        wanted["problems"] = joined(step.problems) or NONE
    return wanted


def problem_facts(expected: Sequence[str], rows: Iterable[ProblemRow], folder: Path) -> Facts:
    """The problems there are: as they are expected, where they are, else as they are told."""
    lines = [_line(row, str(folder)) for row in rows]
    found = [next((text for text in expected if _tells(line, text)), line) for line in lines]
    return {"problems": joined(found) or NONE}


def joined(values: Iterable[str]) -> str:
    """Different values, in order."""
    return ", ".join(sorted(set(values)))


def _tells(line: str, text: str) -> bool:
    for part in text.split(" ... "):
        _, is_in, line = line.partition(part)
        if not is_in:
            return False
    return True


def _line(row: ProblemRow, folder: str) -> str:
    """A problem on one line, with its file as seen from the folder."""
    place = row.where.removeprefix(folder).lstrip("/")
    named = f"{place} {row.severity} {row.code} {row.object.replace('/', ' ', 1)} {row.field}"
    return f"{named}: {row.message}. {row.remedy}"


def echoed(body: bytes) -> dict[str, Any]:
    """What an echo server said; empty if it was not one that answered."""
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _where(endpoint: Endpoint) -> str:
    return with_port(on_loopback(endpoint.address) or endpoint.address, endpoint.port)


def _foretold(outcome: Outcome) -> str:
    """Whether the simulator said what then happened, else what it said instead."""
    told = outcome.way.trace.outcome
    status, line = outcome.answer.status, outcome.line
    match told:
        case Forwarded(_, shares, route):
            endpoints = {_where(each) for share in shares for each in share.endpoints}
            if line and (line.route_name or "") == route and outcome.endpoint in endpoints:
                return FORETOLD
            return f"route {route} to {joined(endpoints)}"
        case Answered(said, reason, route=route) | Redirected(said, reason, route=route):
            same = status == said and not outcome.endpoint
            return FORETOLD if same else f"{said} {reason}"
        case _:
            return str(told)
