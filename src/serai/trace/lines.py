"""A trace in words, for people."""

from __future__ import annotations

from serai.ir.route import HeaderMutations
from serai.trace.outcome import (
    Answered,
    Closed,
    Forwarded,
    Other,
    Redirected,
    Share,
    Step,
    Trace,
)

_INDENT = " " * 15


def lines(found: Trace) -> list[str]:
    """One line for each step, with what lost below it, and at last the answer."""
    request = found.request
    text = [f"{request.method} {request.scheme}://{request.authority}{request.path}", ""]
    for number, step in enumerate(found.steps, 1):
        text += _step(number, step)
    return [*text, "", *_outcome(found)]


def _step(number: int, step: Step) -> list[str]:
    first = f"{number:>2} {step.what:<11} {step.found}"
    text = [first.rstrip()]
    if step.why:
        text.append(f"{_INDENT}{step.why}")
    return [*text, *(_other(each) for each in step.others)]


def _other(other: Other) -> str:
    return f"{_INDENT}- not {other.name}: {other.why}"


def _outcome(found: Trace) -> list[str]:
    match found.outcome:
        case Forwarded(protocol, shares):
            sent = "Sent on" if protocol == "http" else "Bytes sent on"
            return [line for share in shares for line in _share(sent, share)]
        case Redirected(status, location, response):
            return [f"Answer: {status}, location: {location}", *_changes("answer", response)]
        case Answered(status, reason, message, response):
            words = f"Answer: {status} ({reason.replace('_', ' ')})"
            told = f"{words}: {message}" if message else words
            return [told, *_changes("answer", response)]
        case Closed(reason, message):
            return [f"Connection closed ({reason.replace('_', ' ')}): {message}"]


def _share(sent: str, share: Share) -> list[str]:
    percent = f"{share.share * 100:.4g}%"
    if share.location:
        return [f"Answer: {share.status} to {percent}, location: {share.location}"]
    if share.status is not None:
        return [f"Answer: {share.status} to {percent}, meant for {share.cluster or 'no backend'}"]
    count = len(share.endpoints)
    backend = f"{share.origin or share.cluster}"
    text = [f"{sent}: {percent} to {backend}, {count} endpoint{'s' if count != 1 else ''}"]
    if share.path:
        text.append(f"  asked for    {share.method} {share.path} of {share.authority}")
    text += [f"  header       {name}: {value}" for name, value in share.headers]
    return [*text, *_changes("answer", share.response)]


def _changes(what: str, mutations: HeaderMutations) -> list[str]:
    return [
        *(f"  {what} sets {name}: {value}" for name, value in mutations.set),
        *(f"  {what} adds {name}: {value}" for name, value in mutations.add),
        *(f"  {what} loses {name}" for name in mutations.remove),
    ]
