"""Rows computed from other rows, by pure functions whose reads are recorded."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from serai.incremental import few
from serai.incremental.few import Few
from serai.incremental.graph import Dependent, Failure, Graph, K, Node
from serai.incremental.index import Index

V = TypeVar("V")
SK = TypeVar("SK", bound=Hashable)
SV = TypeVar("SV")
RK = TypeVar("RK", bound=Hashable)
RV = TypeVar("RV")

WHOLE: Any = object()


class Reader:
    """How a row's function looks at other collections; every look is remembered."""

    __slots__ = ("_dependent", "_reads")

    def __init__(self, dependent: Dependent) -> None:
        self._dependent = dependent
        self._reads: list[Any] = []

    @property
    def reads(self) -> tuple[Any, ...]:
        """What was looked at: collections and keys in turn, flat, since there are very many."""
        return tuple(self._reads)

    def get(self, node: Node[RK, RV], key: RK) -> RV | None:
        """The row under a key, or None; its coming, changing or going is noticed."""
        self._note(node, key)
        return node.row(key)

    def members(self, index: Index[RK, SK], key: RK) -> Sequence[SK]:
        """The keys that `index` has under a key, sorted."""
        return self.get(index, key) or ()

    def rows(self, index: Index[RK, SK], key: RK, node: Node[SK, RV]) -> list[tuple[SK, RV]]:
        """The rows of `node` that `index` has under a key, sorted by their keys."""
        found = ((member, self.get(node, member)) for member in self.members(index, key))
        return [(member, row) for member, row in found if row is not None]

    def every(self, node: Node[RK, RV]) -> list[tuple[RK, RV]]:
        """All rows of a collection, sorted by key.  Any change to any of them is noticed."""
        self._note(node, WHOLE)
        found = ((key, node.row(key)) for key in sorted(node.keys()))  # type: ignore[type-var]
        return [(key, row) for key, row in found if row is not None]

    def _note(self, node: Node[Any, Any], key: Hashable) -> None:
        if node.order >= self._dependent[0].order:
            msg = f"{self._dependent[0].name} reads {node.name}, which is settled after it"
            raise RuntimeError(msg)
        if key is WHOLE:
            node.scanners[self._dependent] = None
        elif not node.note_reader(key, self._dependent):
            return
        self._reads += (node, key)


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
        self.compute: Callable[[Reader, Any, Any], Iterable[tuple[K, V]]] = compute
        self.rows: dict[K, V] = {}
        self.dirty: dict[Hashable, None] = {}
        """Source keys to compute again in the commit under way."""
        self.calls = 0
        """How often the function has run."""
        self._outputs: dict[Hashable, Few[K]] = {}
        self._reads: dict[Hashable, tuple[Any, ...]] = {}

    def settle(self) -> None:
        """Compute again what read something that changed."""
        if not self.dirty and not self.source.changed:
            return
        todo: dict[Any, None] = {**self.dirty, **self.source.changed}
        self.dirty = {}
        fresh: dict[K, V] = {}
        gone: dict[K, None] = {}
        for key in todo:
            self._recompute(key, fresh, gone)
        for output in gone:
            if output not in fresh:
                del self.rows[output]
                self.mark(output)
        for output, row in fresh.items():
            if self.rows.get(output) != row:
                self.rows[output] = row
                self.mark(output)

    def _recompute(self, key: Hashable, fresh: dict[K, V], gone: dict[K, None]) -> None:
        self._forget_reads(key)
        row = self.source.row(key)
        computed: dict[K, V] = {}
        self.graph.failures.pop((self.name, key), None)
        if row is not None:
            reader = Reader((self, key))
            self.calls += 1
            try:
                computed = dict(self.compute(reader, key, row))
            except Exception as error:  # noqa: BLE001  one row's bug must not cost the others
                self.graph.failures[self.name, key] = Failure(self.name, key, error)
                return
            finally:
                if reads := reader.reads:
                    self._reads[key] = reads
        self._replace(key, computed, gone)
        fresh.update(computed)

    def _replace(self, key: Any, computed: dict[K, V], gone: dict[K, None]) -> None:
        """Note what rows a source row gives now; those that it gave before may be gone."""
        gone.update(dict.fromkeys(few.elements(self._outputs.pop(key, None))))
        if computed:
            self._outputs[key] = few.few_of(computed)

    def _forget_reads(self, key: Hashable) -> None:
        dependent: Dependent = (self, key)
        found = iter(self._reads.pop(key, ()))
        for node, read in zip(found, found, strict=True):
            if read is WHOLE:
                node.scanners.pop(dependent, None)
            else:
                node.forget_reader(read, dependent)

    def row(self, key: K) -> V | None:
        """The row under a key, or None."""
        return self.rows.get(key)

    def keys(self) -> Iterator[K]:
        """Every key, in no particular order."""
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def mapped(
    graph: Graph,
    name: str,
    source: Node[SK, SV],
    compute: Callable[[Reader, SK, SV], V | None],
) -> Derived[SK, V]:
    """A Derived collection with one row, or none, for each row of its source, under its key."""

    def rows(reader: Reader, key: SK, row: SV) -> Iterator[tuple[SK, V]]:
        value = compute(reader, key, row)
        if value is not None:
            yield key, value

    return Derived(graph, name, source, rows)
