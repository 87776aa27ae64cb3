"""Of the policies at one place, the first that says each thing.

What others say of it is not in force, and each is told so: looked up here, or a thousand policies
at one place would each look at all others.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from serai.api.kgateway import TRAFFIC_POLICY, Inheritance
from serai.api.meta import Key
from serai.attach.targets import Target, TargetKey
from serai.incremental import Graph, Index, Node, Reader, mapped
from serai.ir.origin import Value
from serai.policies import MERGING
from serai.translate.precedence import PolicyOrder


class Policy(Protocol):
    """What compiled policies of all kinds have in common."""

    @property
    def key(self) -> Key:
        """The object."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """What it is for."""

    @property
    def order(self) -> PolicyOrder:
        """Sorts policies at one place."""


class First(Value, frozen=True):
    """What decides about a field at a place."""

    field: Any
    order: PolicyOrder
    policy: Key


Firsts = Node[TargetKey, tuple[First, ...]]


def firsts(
    graph: Graph,
    kind: str,
    compiled: Node[Key, Any],
    fields: Callable[[Any], Iterable[Hashable]],
) -> Firsts:
    """By place, who comes first with each of the `fields` of the policies of some `kind`."""

    def places(_: Key, policy: Policy) -> Iterator[TargetKey]:
        return (key for target in policy.targets for key in target.keys)

    at: Index[TargetKey, Key] = Index(graph, f"{kind} at place", compiled, places)

    def first(reader: Reader, _: TargetKey, keys: Sequence[Key]) -> tuple[First, ...]:
        found = [row for key in keys if (row := reader.get(compiled, key)) is not None]
        decided: dict[Any, First] = {}
        for policy in sorted(found, key=lambda each: each.order):
            for field in fields(policy):
                decided.setdefault(field, First(field, policy.order, policy.key))
        return tuple(decided.values())

    return mapped(graph, f"first {kind} at place", at, first)


def before(
    reader: Reader, known: Firsts, policy: Policy, at: TargetKey
) -> Iterator[tuple[Any, Key]]:
    """The fields that policies before this one have at the very same place, and who has them."""
    for each in reader.get(known, at) or ():
        if each.policy != policy.key and each.order < policy.order:
            yield each.field, each.policy


def overriding(asked: Inheritance, firsts: Iterable[First]) -> dict[str, Key]:
    """Of a Gateway that prefers its own policies, what no other policy says then, and who does.

    `firsts` are those of its own policies.
    """
    return {
        each.field: each.policy
        for each in firsts
        if each.policy.kind == TRAFFIC_POLICY and not (asked.is_deep and each.field in MERGING)
    }
