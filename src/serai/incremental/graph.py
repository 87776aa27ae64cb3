"""The graph of collections, and the commit that settles them in order."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, KeysView, Mapping
from heapq import heappop, heappush
from typing import Any, Generic, TypeVar

import msgspec

from serai.incremental.readership import Readership

K = TypeVar("K", bound=Hashable)
V_co = TypeVar("V_co", covariant=True)


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
        self.due: list[int] = []
        """The places of the collections that have anything to settle, as a heap: mostly ten of
        three hundred, so that the others are not even looked at."""

    def commit(self) -> Mapping[str, KeysView[Any]]:
        """Bring every collection up to date.

        Returns, by collection name, the keys whose rows appeared, changed or went away.
        """
        touched: list[Node[Any, Any]] = []
        while self.due:
            node = self.nodes[heappop(self.due)]
            node.due = False
            node.settle()
            if node.changed:
                touched.append(node)
                for follower in node.followers:
                    follower.rouse()
        return {node.name: node.take_changed().keys() for node in touched}

    def enroll(self, node: Node[Any, Any]) -> int:
        """Give a new collection its place in the order."""
        if any(other.name == node.name for other in self.nodes):
            msg = f"two collections are named {node.name!r}"
            raise ValueError(msg)
        self.nodes.append(node)
        return len(self.nodes) - 1


class Node(Generic[K, V_co]):
    """A collection of rows: what Table, Derived, Mapped, Index and Union have in common."""

    remembers = True
    """Whether `changed` says what rows were before."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name
        self.changed: dict[K, Any] = {}
        """Keys changed by the commit under way, in order, which keeps every run alike; and the
        rows that they had before it (None: none, or this is an Index)."""
        self.readerships: list[Readership] = []
        """The collections whose rows read this one."""
        self.followers: list[Node[Any, Any]] = []
        """The collections that are made of this one's rows."""
        self.due = False
        """Whether there is anything to settle."""
        self.order = graph.enroll(self)

    def rouse(self) -> None:
        """There is something to settle in the next commit, or in the one under way."""
        if not self.due:
            self.due = True
            heappush(self.graph.due, self.order)

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

    def follow(self, *sources: Node[Any, Any]) -> None:
        """This collection is made of the rows of others."""
        for source in sources:
            source.followers.append(self)

    def mark(self, key: K, before: Any) -> None:
        """Note that a row is not what it was, and that whoever read it must look again."""
        if before is not None or key not in self.changed:
            self.changed[key] = before
        for each in self.readerships:
            if key in each.by_key:
                each.wake(key)

    def take_changed(self) -> dict[K, Any]:
        """What this commit changed; the next one starts afresh."""
        taken, self.changed = self.changed, {}
        return taken
