"""Several collections seen as one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from serai.incremental.graph import Graph, K, Node

V = TypeVar("V")


class Union(Node[K, V], Generic[K, V]):
    """The rows of several collections whose keys never meet."""

    def __init__(self, graph: Graph, name: str, parts: tuple[Node[K, V], ...]) -> None:
        super().__init__(graph, name)
        self.parts = parts
        self.remembers = all(part.remembers for part in parts)
        self.follow(*parts)

    def settle(self) -> None:
        """Pass on what changed in the parts."""
        for part in self.parts:
            for key, before in part.changed.items():
                self.mark(key, before)

    def row(self, key: K) -> V | None:
        """The row under a key, or None."""
        for part in self.parts:
            row = part.row(key)
            if row is not None:
                return row
        return None

    def keys(self) -> Iterator[K]:
        """Every key, in no particular order."""
        for part in self.parts:
            yield from part.keys()

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)
