"""What listener policies do to a request before a route is chosen."""

from __future__ import annotations

from msgspec.structs import replace

from serai.ir.leaf import Leaf
from serai.ir.match import CONNECT
from serai.listener_policies import headers, protocol
from serai.listener_policies.headers import EarlyHeaders
from serai.listener_policies.protocol import Upgrades
from serai.listener_policies.setting import Plain
from serai.trace.headers import mutated
from serai.trace.match import Facts
from serai.trace.outcome import Answered, Step


def early(settings: tuple[Leaf, ...], facts: Facts, steps: list[Step]) -> Facts:
    """The request with the headers that are changed before routes are looked at."""
    for leaf in settings:
        if leaf.feature == headers.EARLY.field and isinstance(leaf.value, EarlyHeaders):
            steps.append(Step("listener policy", leaf.feature, "headers changed", leaf.origin))
            return replace(facts, headers=mutated(facts.headers, leaf.value.mutations))
    return facts


def answered(settings: tuple[Leaf, ...], path: str) -> Answered | None:
    """What Envoy answers by itself, where it is asked whether it is there."""
    for leaf in settings:
        asked = leaf.value.held if isinstance(leaf.value, Plain) else None
        if leaf.feature == protocol.HEALTH.field and path == asked:
            return Answered(200, "health_check_ok", "")
    return None


def makes_tunnels(settings: tuple[Leaf, ...]) -> bool:
    """Whether a listener lets requests become tunnels."""
    upgrades = (leaf.value for leaf in settings if leaf.feature == protocol.UPGRADES.field)
    return any(isinstance(each, Upgrades) and CONNECT in each.types for each in upgrades)
