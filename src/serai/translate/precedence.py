"""Which of the policies that apply somewhere are in force.

kgateway: the annotation ``kgateway.dev/inherited-policy-priority`` of Gateways.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from serai.api.kgateway import TRAFFIC_POLICY, Inheritance
from serai.api.meta import Key
from serai.ir.leaf import FailClosed, Leaf
from serai.policies import ADDITIVE, MERGING

PolicyOrder = tuple[int, str, str, str, str]


def policy_order(weight: int, created: str, key: Key) -> PolicyOrder:
    """Sorts policies at one place: by weight, the oldest first, then by name."""
    return (-weight, created or "9999", key.namespace, key.name, key.kind)


def inherited(leaves: Iterable[Leaf], asked: Inheritance) -> Iterator[Leaf]:
    """The leaves on a Gateway, as its annotation has its routes inherit them."""
    for leaf in leaves:
        if leaf.origin.key.kind != TRAFFIC_POLICY:
            yield leaf
            continue
        joins = asked.is_deep and leaf.feature in MERGING
        yield replace(leaf, overrides=asked.prefers_parent, joins=joins)


def first_of_each(leaves: Iterable[Leaf]) -> tuple[Leaf, ...]:
    """The leaves in force among those that apply, given with the most specific first.

    What a Gateway lets override comes before other policies, but not before what a route says of
    itself.  Gateway API: policy attachment; the most specific policy wins, feature by feature.
    """
    leaves = tuple(leaves)
    if not leaves:
        return ()
    chosen: dict[object, Leaf] = {}
    for leaf in sorted(leaves, key=_yields):
        about = leaf.origin if leaf.feature in ADDITIVE else leaf.joins
        chosen.setdefault((leaf.feature, about), leaf)
    refused = {
        leaf.feature
        for leaf in chosen.values()
        if leaf.feature in MERGING and isinstance(leaf.value, FailClosed)
    }
    return tuple(
        leaf
        for leaf in chosen.values()
        if leaf.feature not in refused or isinstance(leaf.value, FailClosed)
    )


def _yields(leaf: Leaf) -> bool:
    return not leaf.overrides and leaf.origin.key.kind == TRAFFIC_POLICY
