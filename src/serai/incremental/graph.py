"""The graph of collections, and the commit that settles them in order."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, KeysView, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from serai.incremental import few
from serai.incremental.few import Few

if TYPE_CHECKING:
    from serai.incremental.derived import Derived

K = TypeVar("K", bound=Hashable)
V_co = TypeVar("V_co", covariant=True)

Dependent = tuple["Derived[Any, Any]", Hashable]


class Failure(msgspec.Struct, frozen=True):
    """A row's function raised, which is a bug of ours; the row keeps what it had."""

    node: str
    key: Any
    error: Exception


class Graph:
    """Collections in order of creation, which is also an order in which they can be settled."""

    def __init__(self) -> None:
        self.nodes: list[Node[Any, Any]] = []
        self.failures: dict[tuple[str, Hashable], Failure] = {}
        """By collection and key: rows whose function raised when it last ran."""

    def commit(self) -> Mapping[str, KeysView[Any]]:
        """Bring every collection up to date.

        Returns, by collection name, the keys whose rows appeared, changed or went away.
        """
        for node in self.nodes:
            node.settle()
        return {node.name: node.take_changed().keys() for node in self.nodes if node.changed}

    def enroll(self, node: Node[Any, Any]) -> int:
        """Give a new collection its place in the order."""
        if any(other.name == node.name for other in self.nodes):
            msg = f"two collections are named {node.name!r}"
            raise ValueError(msg)
        self.nodes.append(node)
        return len(self.nodes)


class Node(Generic[K, V_co]):
    """A collection of rows: what Table, Derived and Index have in common."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name
        self.changed: dict[K, None] = {}
        """Keys changed by the commit under way, in order, which keeps every run alike."""
        self._readers: dict[Hashable, Few[Dependent]] = {}
        """By key: the rows elsewhere that read it."""
        self.scanners: dict[Dependent, None] = {}
        """Rows elsewhere that read this collection as a whole."""
        self.order = graph.enroll(self)

    def settle(self) -> None:
        """Apply what changed before this collection in the order."""
        raise NotImplementedError

    def row(self, key: K) -> V_co | None:
        """The row under a key, or None."""
        raise NotImplementedError

    def keys(self) -> Iterator[K]:
        """Every key, in no particular order."""
        raise NotImplementedError

    def items(self) -> Iterator[tuple[K, V_co]]:
        """Every key and row, in no particular order."""
        found = ((key, self.row(key)) for key in self.keys())
        return ((key, row) for key, row in found if row is not None)

    def __len__(self) -> int:
        raise NotImplementedError

    def note_reader(self, key: Hashable, reader: Dependent) -> bool:
        """Note who read a row; whether that is new."""
        known = self._readers.get(key)
        if reader in few.elements(known):
            return False
        self._readers[key] = few.added(known, reader)
        return True

    def forget_reader(self, key: Hashable, reader: Dependent) -> None:
        """The row that read a row is computed again, or gone."""
        left = few.removed(self._readers.pop(key, None), reader)
        if left is not None:
            self._readers[key] = left

    def mark(self, key: K) -> None:
        """Note that a row changed, and that whoever read it must look again."""
        self.changed[key] = None
        for dependent, row in few.elements(self._readers.pop(key, None)):
            dependent.dirty[row] = None
        if self.scanners:
            for dependent, row in self.scanners:
                dependent.dirty[row] = None
            self.scanners = {}

    def take_changed(self) -> dict[K, None]:
        """The keys that this commit changed; the next one starts afresh."""
        taken, self.changed = self.changed, {}
        return taken
