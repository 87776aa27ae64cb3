"""Rows found by another key."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

from serai.incremental import few
from serai.incremental.few import Few
from serai.incremental.graph import Graph, K, Node

M = TypeVar("M", bound=Hashable)

MOST_CHANGES = 64
"""Members that are put in their places one by one; where more came and went, all are sorted."""


class Members(Sequence[M]):
    """The source keys under one key; sorted when first looked at, since often nobody does.

    One that came or went since they were sorted last is put in its place among the others.
    """

    __slots__ = ("_changes", "_members", "_ordered")

    def __init__(
        self,
        members: Collection[M],
        ordered: tuple[M, ...] | None = None,
        changes: tuple[M, ...] = (),
    ) -> None:
        self._members = members
        self._ordered = ordered
        self._changes = changes

    def touched(self, members: Collection[M], member: M) -> Members[M]:
        """What they are now that one of them came or went."""
        if self._ordered is None or len(self._changes) == MOST_CHANGES:
            return Members(members)
        return Members(members, self._ordered, (*self._changes, member))

    @property
    def _sorted(self) -> tuple[M, ...]:
        if self._ordered is None:
            self._ordered = tuple(sorted(self._members))  # type: ignore[type-var]
        elif self._changes:
            ordered: list[Any] = list(self._ordered)
            for member in dict.fromkeys(self._changes):
                at = bisect_left(ordered, member)
                if member in self._members:
                    ordered[at:at] = () if member in ordered[at : at + 1] else (member,)
                elif member in ordered[at : at + 1]:
                    del ordered[at]
            self._ordered, self._changes = tuple(ordered), ()
        return self._ordered

    @overload
    def __getitem__(self, index: int) -> M: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[M]: ...
    def __getitem__(self, index: int | slice) -> M | Sequence[M]:
        return self._sorted[index]

    def __iter__(self) -> Iterator[M]:
        return iter(self._sorted)

    def __len__(self) -> int:
        return len(self._members)


class Index(Node[K, Sequence[M]], Generic[K, M]):
    """From a key to the sorted keys of the source rows that have it.

    The cost of a change is that of the keys the changed row has, not of how many share them.
    """

    remembers = False

    def __init__(
        self,
        graph: Graph,
        name: str,
        source: Node[M, Any],
        keys_of: Callable[[M, Any], Iterable[K]],
    ) -> None:
        """`keys_of` must be pure: what keys a row had is found by asking for them again."""
        super().__init__(graph, name)
        self.source = source
        self.follow(source)
        self.keys_of = keys_of
        self._had: dict[M, tuple[K, ...]] = {}
        """The keys of the rows that have any, where the source doesn't say what they were."""
        self._members: dict[K, Few[M]] = {}
        self._sorted: dict[K, Members[M]] = {}

    def settle(self) -> None:
        """Move the rows that changed from their old keys to their new ones."""
        for member, before in self.source.changed.items():
            new = self._keys(member, self.source.row(member))
            old = self._keys(member, before) if self.source.remembers else self._keep(member, new)
            if old == new:
                continue
            for key in old:
                if key not in new:
                    self._leave(key, member)
            for key in new:
                if key not in old:
                    self._members[key] = few.added(self._members.get(key), member)
                    self._touch(key, member)

    def _keys(self, member: M, row: Any) -> tuple[K, ...]:
        return () if row is None else tuple(dict.fromkeys(self.keys_of(member, row)))

    def _keep(self, member: M, keys: tuple[K, ...]) -> tuple[K, ...]:
        """Remember the keys that a row has now; those that it had."""
        before = self._had.pop(member, ())
        if keys:
            self._had[member] = keys
        return before

    def _leave(self, key: K, member: M) -> None:
        left = few.removed(self._members.pop(key), member)
        if left is not None:
            self._members[key] = left
        self._touch(key, member)

    def _touch(self, key: K, member: M) -> None:
        before = self._sorted.pop(key, None)
        if before is not None:
            left = self._members.get(key)
            if isinstance(left, list | dict):
                self._sorted[key] = before.touched(left, member)
        self.mark(key, None)

    def row(self, key: K) -> Sequence[M] | None:
        """The source keys under a key, sorted; None if there are none."""
        found = self._members.get(key)
        if found is None:
            return None
        if not isinstance(found, list | dict):  # nothing to sort, nor to keep
            return (found,)
        if key not in self._sorted:
            self._sorted[key] = Members(found)
        return self._sorted[key]

    def count(self, key: K) -> int:
        """How many source rows have a key."""
        return len(few.elements(self._members.get(key)))

    def keys(self) -> Iterator[K]:
        """Every key that a row has, in no particular order."""
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)
