"""Rows found by another key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

from serai.incremental.graph import Graph, K, Node

M = TypeVar("M", bound=Hashable)


class Members(Sequence[M]):
    """The source keys under one key; sorted when first looked at, since often nobody does."""

    def __init__(self, members: dict[M, None]) -> None:
        self._members = members
        self._ordered: tuple[M, ...] | None = None

    @property
    def _sorted(self) -> tuple[M, ...]:
        if self._ordered is None:
            self._ordered = tuple(sorted(self._members))  # type: ignore[type-var]
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

    def __init__(
        self,
        graph: Graph,
        name: str,
        source: Node[M, Any],
        keys_of: Callable[[M, Any], Iterable[K]],
    ) -> None:
        super().__init__(graph, name)
        self.source = source
        self.keys_of = keys_of
        self._members: dict[K, dict[M, None]] = {}
        self._keys: dict[M, tuple[K, ...]] = {}
        self._sorted: dict[K, Members[M]] = {}

    def settle(self) -> None:
        """Move the rows that changed from their old keys to their new ones."""
        for member in self.source.changed:
            row = self.source.row(member)
            old = self._keys.pop(member, ())
            new = () if row is None else tuple(dict.fromkeys(self.keys_of(member, row)))
            if new:
                self._keys[member] = new
            for key in old:
                if key not in new:
                    self._leave(key, member)
            for key in new:
                if key not in old:
                    self._members.setdefault(key, {})[member] = None
                    self._touch(key)

    def _leave(self, key: K, member: M) -> None:
        members = self._members[key]
        del members[member]
        if not members:
            del self._members[key]
        self._touch(key)

    def _touch(self, key: K) -> None:
        self._sorted.pop(key, None)
        self.mark(key)

    def row(self, key: K) -> Sequence[M] | None:
        """The source keys under a key, sorted; None if there are none."""
        if key not in self._members:
            return None
        if key not in self._sorted:
            self._sorted[key] = Members(self._members[key])
        return self._sorted[key]

    def count(self, key: K) -> int:
        """How many source rows have a key."""
        return len(self._members.get(key, ()))

    def keys(self) -> Iterator[K]:
        """Every key that a row has, in no particular order."""
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)
