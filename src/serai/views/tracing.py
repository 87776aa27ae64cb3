"""One request followed through the configuration, as a question and an answer of plain values."""

from __future__ import annotations

import msgspec

from serai.ir.origin import Origin
from serai.ir.route import HeaderMutations
from serai.model.addresses import with_port
from serai.trace import (
    Answered,
    Closed,
    Forwarded,
    Redirected,
    Share,
    Step,
    Trace,
    TraceRequest,
    Unresolved,
    View,
    lines,
    resolve,
    trace,
    withheld,
)
from serai.views.row import Row, object_name
from serai.views.state import State


class TraceQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request that somebody might send."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    as_: str = msgspec.field(default="", name="as")
    """The caller: a SPIFFE identity, or ``namespace/serviceaccount``."""
    via: str = ""
    """The Gateway to go through, or ``loopback``; empty: what a client of the mesh would find."""
    hbone: bool = False
    """Through a tunnel, where that leads to a waypoint."""
    at: float | None = None
    """When it is sent, in seconds since the epoch; null: tokens do not expire."""


class OtherRow(Row, frozen=True):
    """A candidate that was not chosen."""

    name: str
    why: str


class StepRow(Row, frozen=True):
    """One decision on the way."""

    what: str
    found: str
    why: str
    object: str
    """``Kind/namespace/name`` of the object that decided; empty if none did."""
    field: str
    others: tuple[OtherRow, ...]


class ShareRow(Row, frozen=True):
    """What becomes of one share of such requests."""

    share: float
    cluster: str
    object: str
    endpoints: tuple[str, ...]
    status: int | None
    """What Envoy answers by itself; None where an endpoint answers."""
    method: str
    authority: str
    path: str
    headers: tuple[tuple[str, str], ...]
    """The request's headers as endpoints get them."""


class HeaderChanges(Row, frozen=True):
    """What is changed in the answer's headers."""

    set: tuple[tuple[str, str], ...]
    add: tuple[tuple[str, str], ...]
    remove: tuple[str, ...]


class OutcomeRow(Row, frozen=True):
    """Where a request ends."""

    kind: str
    """``forward``, ``redirect``, ``answer``, ``closed``; ``unresolved``: it reaches no proxy."""
    status: int | None = None
    reason: str = ""
    message: str = ""
    remedy: str = ""
    location: str = ""
    protocol: str = ""
    route: str = ""
    shares: tuple[ShareRow, ...] = ()
    response_headers: HeaderChanges | None = None


class Traced(Row, frozen=True):
    """The answer: the steps, where they end, and the same in words."""

    reaches_a_backend: bool
    """Whether an endpoint answers at least some of such requests."""
    steps: tuple[StepRow, ...]
    outcome: OutcomeRow
    text: tuple[str, ...]


def resolved(view: View, question: TraceQuestion) -> TraceRequest | Unresolved:
    """The request, with its way into the mesh."""
    found = resolve(
        view,
        question.url,
        method=question.method,
        headers=question.headers,
        as_=question.as_,
        via=question.via,
        hbone=question.hbone,
    )
    if isinstance(found, Unresolved):
        return found
    return msgspec.structs.replace(found, at=question.at)


def traced(state: State, question: TraceQuestion) -> Traced:
    """Follow a request from its URL to where it ends."""
    view = View(state.pipeline.attached, state.pipeline.translated)
    request = resolved(view, question)
    if isinstance(request, Unresolved):
        return _unresolved(request)
    found = withheld(trace(view, request))
    return Traced(
        reaches_a_backend=found.reaches_a_backend,
        steps=tuple(_step(step) for step in found.steps),
        outcome=_outcome(found),
        text=tuple(lines(found)),
    )


def _unresolved(found: Unresolved) -> Traced:
    said = OutcomeRow(
        kind="unresolved", reason=found.reason, message=found.message, remedy=found.remedy
    )
    text = (f"{found.message}.", *((found.remedy,) if found.remedy else ()))
    return Traced(reaches_a_backend=False, steps=(), outcome=said, text=text)


def _step(step: Step) -> StepRow:
    return StepRow(
        what=step.what,
        found=step.found,
        why=step.why,
        object=_object(step.origin),
        field=step.origin.path if step.origin else "",
        others=tuple(OtherRow(each.name, each.why) for each in step.others),
    )


def _outcome(found: Trace) -> OutcomeRow:
    match found.outcome:
        case Forwarded(protocol, shares, route):
            rows = tuple(_share(share) for share in shares)
            return OutcomeRow("forward", protocol=protocol, route=route, shares=rows)
        case Redirected(status, location, response, route):
            changes = _changes(response)
            return OutcomeRow(
                "redirect", status, location=location, route=route, response_headers=changes
            )
        case Answered(status, reason, message, response, route):
            changes = _changes(response)
            return OutcomeRow(
                "answer", status, reason, message, route=route, response_headers=changes
            )
        case Closed(reason, message):
            return OutcomeRow("closed", reason=reason, message=message)


def _share(share: Share) -> ShareRow:
    return ShareRow(
        share=share.share,
        cluster=share.cluster or "",
        object=_object(share.origin),
        endpoints=tuple(with_port(each.address, each.port) for each in share.endpoints),
        status=share.status,
        method=share.method,
        authority=share.authority,
        path=share.path,
        headers=share.headers,
    )


def _changes(response: HeaderMutations) -> HeaderChanges:
    return HeaderChanges(response.set, response.add, response.remove)


def _object(origin: Origin | None) -> str:
    return object_name(origin.key) if origin else ""
