"""Rows that are large, and that only the next step looks at: let go once it has."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Final, TypeVar

from serai.incremental import few
from serai.incremental.derived import FAILED, Derived, Reader
from serai.incremental.graph import Graph, K, Node

V = TypeVar("V")
SK = TypeVar("SK", bound=Hashable)
SV = TypeVar("SV")

LET_GO: Final[Any] = object()
"""What a row was before a commit: nobody knows any more."""


class Transient(Derived[K, V]):
    """Rows computed like those of a Derived collection, and kept no longer than the commit.

    For what becomes bytes in the same commit: objects take ten times the memory.  Whoever asks
    later has the row computed again, which costs that much and no more, since its function is
    pure.  With nothing to compare it with, a row that was computed counts as changed: what comes
    of it is compared instead.
    """

    remembers = False

    def __init__(
        self,
        graph: Graph,
        name: str,
        source: Node[SK, SV],
        compute: Callable[[Reader, SK, SV], Iterable[tuple[K, V]]],
    ) -> None:
        super().__init__(graph, name, source, compute)
        self._origin: dict[K, Any] = {}
        """The source row of each row."""
        self._unnoted = _Unnoted(self)

    def _settle(self, todo: Iterable[Any]) -> None:
        for key in todo:
            computed = self._computed(key)
            if computed is FAILED:
                continue
            before = few.elements(self._outputs.pop(key, None))
            if computed:
                self._outputs[key] = few.few_of(computed)
            for output in before:
                if output not in (computed or ()) and self._origin.get(output) == key:
                    del self._origin[output]
                    self.rows.pop(output, None)
                    self.mark(output, LET_GO)
            for output, row in (computed or {}).items():
                known = output in self._origin
                self._origin[output] = key
                self.rows[output] = row
                self.mark(output, LET_GO if known else None)

    def take_changed(self) -> dict[K, Any]:
        """What this commit changed; its rows have been looked at."""
        self.rows = {}
        return super().take_changed()

    def row(self, key: K) -> V | None:
        """The row under a key, or None.  Raises whatever its function raises."""
        found = self.rows.get(key)
        if found is not None or key not in self._origin:
            return found
        origin = self._origin[key]
        row = self.source.row(origin)
        made: dict[K, V] = {} if row is None else self._made(self._unnoted, origin, row)
        return made.get(key)

    def keys(self) -> Iterator[K]:
        """Every key, in no particular order."""
        return iter(self._origin)

    def __len__(self) -> int:
        return len(self._origin)


class _Unnoted(Reader):
    """Looks without being told of changes: what was noted when the row was last due still holds."""

    __slots__ = ()

    def _note(self, node: Node[Any, Any], key: Hashable) -> None:
        pass


class _MappedTransient(Transient[SK, V]):
    """One row, or none, for each row of the source, under its key."""

    def _made(self, reader: Reader, key: Any, row: Any) -> Any:
        made: Any = self.compute(reader, key, row)
        return {} if made is None else {key: made}


def mapped_transient(
    graph: Graph,
    name: str,
    source: Node[SK, SV],
    compute: Callable[[Reader, SK, SV], V | None],
) -> Transient[SK, V]:
    """A Transient collection with one row, or none, for each row of its source, under its key."""
    made: Any = compute
    return _MappedTransient(graph, name, source, made)
