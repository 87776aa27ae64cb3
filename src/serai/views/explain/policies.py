"""Which policies apply to an object, and what each asks for."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.attach.targets import around
from serai.ir.leaf import FailClosed, Leaf
from serai.translate.collections import Attached
from serai.views.explain.explanation import Line


def policy_line(attached: Attached, *places: Key) -> Line:
    """The policies on an object, and on what stands around it, each with its features."""
    found = dict.fromkeys(each for place in places for each in _on(attached, place))
    first, *others = found or dict.fromkeys(["none"])
    return Line("policies", first, tuple(others))


def _on(attached: Attached, place: Key) -> Iterator[str]:
    policies = attached.policies
    for key in (*(policies.on.row(place) or ()), *(policies.on.row(around(place)) or ())):
        policy = policies.compiled.row(key)
        if policy is not None:
            features = ", ".join(_words(leaf) for leaf in policy.leaves)
            yield f"{key} ({features})" if features else f"{key} (nothing that can be done)"
    for key in attached.listener_policies.on.row(place) or ():
        asked = attached.listener_policies.compiled.row(key)
        if asked is not None:
            names = {leaf.feature for each in asked.ports for leaf in each.leaves}
            yield f"{key} ({', '.join(sorted(names)) or 'nothing that can be done'})"
    for key in attached.cluster_policies.by_service.row(place) or ():
        yield str(key)


def _words(leaf: Leaf) -> str:
    """A feature, and whether it is in force or all is refused in its place."""
    closed = isinstance(leaf.value, FailClosed)
    return f"{leaf.feature} cannot be used: all is refused" if closed else leaf.feature
