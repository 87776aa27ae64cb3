"""Whether something was accepted, with the reason and the words for its condition."""

from __future__ import annotations

from serai.ir.origin import Value


class Verdict(Value, frozen=True):
    """The gist of a condition: yes or no, why, in a word and in a sentence."""

    ok: bool
    reason: str
    message: str = ""


ACCEPTED = Verdict(ok=True, reason="Accepted")
RESOLVED = Verdict(ok=True, reason="ResolvedRefs")
ATTACHED = Verdict(ok=True, reason="Attached")


def refused(reason: str, message: str) -> Verdict:
    """A no.  The message says what happened and what to do."""
    return Verdict(ok=False, reason=reason, message=message)
