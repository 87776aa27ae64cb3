"""What of a trace no person may see: values that policies took from Secrets."""

from __future__ import annotations

from msgspec.structs import replace

from serai.ir.route import HeaderMutations
from serai.trace.outcome import Answered, Forwarded, Headers, Redirected, Share, Trace

INSTEAD = "[redacted]"


def withheld(found: Trace) -> Trace:
    """The same trace, with other words in place of secret values."""
    outcome = found.outcome
    match outcome:
        case Forwarded():
            shares = tuple(_share(each) for each in outcome.shares)
            return replace(found, outcome=replace(outcome, shares=shares))
        case Redirected() | Answered():
            shown = replace(outcome, response=_changes(outcome.response))
            return replace(found, outcome=shown)
        case _:
            return found


def _share(share: Share) -> Share:
    headers = _pairs(share.headers, share.secret)
    return replace(share, headers=headers, response=_changes(share.response))


def _changes(found: HeaderMutations) -> HeaderMutations:
    names = found.secret
    return replace(found, set=_pairs(found.set, names), add=_pairs(found.add, names))


def _pairs(headers: Headers, secret: tuple[str, ...]) -> Headers:
    hidden = {name.lower() for name in secret}
    return tuple((name, INSTEAD if name.lower() in hidden else value) for name, value in headers)
