"""Rows computed from other rows, by pure functions whose reads are recorded."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from serai.incremental import few
from serai.incremental.few import Few
from serai.incremental.graph import Failure, Graph, K, Node
from serai.incremental.index import Index
from serai.incremental.readership import Reads

V = TypeVar("V")
SK = TypeVar("SK", bound=Hashable)
SV = TypeVar("SV")
RK = TypeVar("RK", bound=Hashable)
RV = TypeVar("RV")

FAILED: Any = object()
"""In place of what a row's function gives: it raised."""


class Reader:
    """How a row's function looks at other collections; every look is remembered."""

    __slots__ = ("_of", "keys", "nodes")

    def __init__(self, of: Node[Any, Any]) -> None:
        self._of = of
        self.nodes: list[Any] = []
        self.keys: list[Any] = []
        """What the row under way looked at: collections, and under which key in each."""

    def get(self, node: Node[RK, RV], key: RK) -> RV | None:
        """The row under a key, or None; its coming, changing or going is noticed."""
        self._note(node, key)
        return node.row(key)

    def members(self, index: Index[RK, SK], key: RK) -> Sequence[SK]:
        """The keys that `index` has under a key, sorted."""
        self._note(index, key)
        return index.row(key) or ()

    def rows(self, index: Index[RK, SK], key: RK, node: Node[SK, RV]) -> list[tuple[SK, RV]]:
        """The rows of `node` that `index` has under a key, sorted by their keys."""
        found = []
        for member in self.members(index, key):
            row = self.get(node, member)
            if row is not None:
                found.append((member, row))
        return found

    def _note(self, node: Node[Any, Any], key: Hashable) -> None:
        if node.order >= self._of.order:
            msg = f"{self._of.name} reads {node.name}, which is settled after it"
            raise RuntimeError(msg)
        self.nodes.append(node)
        self.keys.append(key)


class Derived(Node[K, V], Generic[K, V]):
    """Rows computed from the rows of a source, any number from each.

    The function gets a Reader, a source key and its row, and returns pairs of key and row.  It
    must be pure, and no two source rows may give rows under one key.
    """

    def __init__(
        self,
        graph: Graph,
        name: str,
        source: Node[SK, SV],
        compute: Callable[[Reader, SK, SV], Iterable[tuple[K, V]]],
    ) -> None:
        super().__init__(graph, name)
        self.source: Node[Any, Any] = source
        self.follow(source)
        self.compute: Callable[[Reader, Any, Any], Any] = compute
        self.rows: dict[K, V] = {}
        self.calls = 0
        """How often the function has run."""
        self._reads = Reads(self)
        self._reader = Reader(self)
        self._outputs: dict[Hashable, Few[K]] = {}

    def settle(self) -> None:
        """Compute again what read something that changed."""
        self._settle({**self._reads.take_dirty(), **self.source.changed})

    def _settle(self, todo: Iterable[Any]) -> None:
        fresh: dict[K, V] = {}
        gone: dict[K, None] = {}
        for key in todo:
            computed = self._computed(key)
            if computed is not FAILED:
                gone.update(dict.fromkeys(few.elements(self._outputs.pop(key, None))))
                if computed:
                    self._outputs[key] = few.few_of(computed)
                    fresh.update(computed)
        for output in gone:
            # Two source rows that give rows under one key are a bug, which must cost no others.
            if output not in fresh and (before := self.rows.pop(output, None)) is not None:
                self.mark(output, before)
        for output, row in fresh.items():
            before = self.rows.get(output)
            if before != row:
                self.rows[output] = row
                self.mark(output, before)

    def _computed(self, key: Any) -> Any:
        """What the function makes of a source row now; None where there is no such row."""
        if self.graph.failures:
            self.graph.failures.pop((self.name, key), None)
        row, found = self.source.row(key), None
        if row is not None:
            self.calls += 1
            try:
                found = self._made(self._reader, key, row)
            except Exception as error:  # noqa: BLE001  one row's bug must not cost the others
                self.graph.failures[self.name, key] = Failure(self.name, key, error)
                found = FAILED
        self._reads.note(key, self._reader.nodes, self._reader.keys)
        return found

    def _made(self, reader: Reader, key: Any, row: Any) -> Any:
        return dict(self.compute(reader, key, row))

    def row(self, key: K) -> V | None:
        """The row under a key, or None."""
        return self.rows.get(key)

    def keys(self) -> Iterator[K]:
        """Every key, in no particular order."""
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


class _Mapped(Derived[SK, V]):
    """One row, or none, for each row of the source, under its key: so no keys are kept apart."""

    def _settle(self, todo: Iterable[Any]) -> None:
        for key in todo:
            row = self._computed(key)
            if row is FAILED:
                continue
            before = self.rows.get(key)
            if row is None:
                if before is not None:
                    self.mark(key, self.rows.pop(key))
            elif row != before:
                self.rows[key] = row
                self.mark(key, before)

    def _made(self, reader: Reader, key: Any, row: Any) -> Any:
        return self.compute(reader, key, row)


def mapped(
    graph: Graph,
    name: str,
    source: Node[SK, SV],
    compute: Callable[[Reader, SK, SV], V | None],
) -> Derived[SK, V]:
    """A Derived collection with one row, or none, for each row of its source, under its key."""
    made: Any = compute
    return _Mapped(graph, name, source, made)
