"""Rows that come from outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from serai.incremental.graph import Graph, K, Node

V = TypeVar("V")


class Table(Node[K, V]):
    """Input rows.  What is put or dropped becomes visible with the next commit, all at once."""

    def __init__(self, graph: Graph, name: str) -> None:
        super().__init__(graph, name)
        self.rows: dict[K, V] = {}
        self._pending: dict[K, V | None] = {}

    def put(self, key: K, row: V) -> None:
        """Add a row or replace it; an equal row changes nothing."""
        self._pending[key] = row
        self.rouse()

    def drop(self, key: K) -> None:
        """Remove a row; one that isn't there changes nothing."""
        self._pending[key] = None
        self.rouse()

    def settle(self) -> None:
        """Make the pending rows visible."""
        pending, self._pending = self._pending, {}
        for key, row in pending.items():
            if row is None:
                before = self.rows.pop(key, None)
                if before is not None:
                    self.mark(key, before)
            elif (before := self.rows.get(key)) != row:
                self.rows[key] = row
                self.mark(key, before)

    def row(self, key: K) -> V | None:
        """The row under a key, or None."""
        return self.rows.get(key)

    def keys(self) -> Iterator[K]:
        """Every key, in no particular order."""
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)
