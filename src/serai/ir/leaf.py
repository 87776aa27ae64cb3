"""What one feature of a policy comes to, where it applies."""

from __future__ import annotations

from serai.ir.origin import Origin, Value
from serai.ir.secret import Confidence


class Leaf(Value, frozen=True):
    """One feature of one policy, compiled.

    Only the feature itself (`serai.policies`) knows what the value means: it encodes it for Envoy,
    and judges requests by it for a trace.
    """

    feature: str
    value: Value
    origin: Origin
    clusters: tuple[str, ...] = ()
    """Clusters that it calls while it decides on a request."""
    secrets: tuple[Confidence, ...] = ()
    """What it is told in confidence."""
    overrides: bool = False
    """Whether it comes before the policies of what is more specific, as its Gateway asks."""
    joins: bool = False
    """Whether it joins what they say of its feature, where that can be merged."""


class FailClosed(Value, frozen=True):
    """In place of a feature that must not be skipped and cannot be done: what is answered."""

    status: int
    why: str
