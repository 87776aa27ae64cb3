"""What is in force of a policy, in words.  kgateway: the condition Attached."""

from __future__ import annotations

from collections.abc import Iterable

from serai.api.meta import Key
from serai.attach.verdict import ATTACHED, Verdict, refused


def attachment(said: int, lost: Iterable[tuple[str, Key]]) -> Verdict:
    """What is in force of a policy that says so many things: not what those before it say."""
    taken = sorted(f"{field} by {other}" for field, other in lost)
    if not taken:
        return ATTACHED
    words = ", ".join(taken)
    if len(taken) == said:
        return refused("Overridden", f"policies that come first say it all: {words}")
    return Verdict(ok=True, reason="Merged", message=f"policies that come first say: {words}")
