"""Who read what: from what a row read to the row, and back.

There are some eighty reads for each service, so this is most of what the graph keeps.  No object
is made for a read: rows are found by what they read in one dictionary for each two collections.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from serai.incremental import few
from serai.incremental.few import Few

if TYPE_CHECKING:
    from serai.incremental.graph import Node

MANY = 16
"""Reads of a row, from where on it pays to see which of them differ."""
OWN: Any = object()
"""In place of a key: it is the reading row's own, so that what many rows read is one."""


class Readership:
    """The rows of one collection that read one other collection."""

    __slots__ = ("by_key", "dirty", "node")

    def __init__(self, node: Node[Any, Any], dirty: dict[Hashable, None]) -> None:
        self.node = node
        """The reading collection."""
        self.dirty = dirty
        """Its rows to compute again in the commit under way."""
        self.by_key: dict[Hashable, Few[Hashable]] = {}
        """By the key that they read."""

    def wake(self, key: Hashable) -> None:
        """The row under a key, which somebody reads, is not what it was."""
        self.dirty.update(dict.fromkeys(few.elements(self.by_key[key])))
        self.node.rouse()

    def add(self, key: Hashable, row: Hashable) -> None:
        """A row reads what is under a key, perhaps once more."""
        known = self.by_key.get(key)
        if known is None:
            self.by_key[key] = row
        elif row not in few.elements(known):
            self.by_key[key] = few.added(known, row)

    def drop(self, key: Hashable, row: Hashable) -> None:
        """A row doesn't read that any more, if it did."""
        left = few.removed(self.by_key.pop(key, None), row)
        if left is not None:
            self.by_key[key] = left


class Reads:
    """What the rows of one collection read of others when they were last computed."""

    __slots__ = ("_by_node", "_last", "_node", "_of", "_shapes", "dirty")

    def __init__(self, node: Node[Any, Any]) -> None:
        self._node = node
        self.dirty: dict[Hashable, None] = {}
        """Rows that read something that changed, to compute again in the commit under way."""
        self._of: dict[Hashable, tuple[Any, ...]] = {}
        """By row: its shape, and the keys that it read."""
        self._shapes: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        """The collections that rows read, one after the other: very many rows have one shape."""
        self._by_node: dict[Node[Any, Any], Readership] = {}
        self._last: tuple[Any, ...] = ()
        """What the row before read."""

    def take_dirty(self) -> dict[Hashable, None]:
        """What is to be computed again; from now on nothing is."""
        taken = dict(self.dirty)
        self.dirty.clear()
        return taken

    def note(self, row: Hashable, nodes: list[Any], keys: list[Any]) -> None:
        """A row looked at this, and nothing else; both lists are empty afterwards.

        Mostly that is what it looked at before, or nothing.
        """
        before = self._of.get(row, ())
        if not keys and not before:
            return
        reads = self._flat(nodes, [OWN if key is row else key for key in keys])
        nodes.clear()
        keys.clear()
        if reads == before:
            return
        reads = self._last = _sharing(self._last, reads)
        if not before:
            self._note_first(row, reads)
            return
        gone, come = _pairs(row, before), _pairs(row, reads)
        if len(gone) > MANY:
            gone, come = _apart(gone, come)
        for node, key in gone:
            self._by_node[node].drop(key, row)
        for node, key in come:
            self._readership(node).add(key, row)
        if reads:
            self._of[row] = reads
        else:
            del self._of[row]

    def _note_first(self, row: Hashable, reads: tuple[Any, ...]) -> None:
        """Likewise of a row that had read nothing, as all at a start: the same, in fewer steps."""
        self._of[row] = reads
        by_node = self._by_node
        for node, each in zip(reads[0], reads[1:], strict=True):
            key = row if each is OWN else each
            found = by_node.get(node) or self._readership(node)
            if found.by_key.setdefault(key, row) is not row:
                found.add(key, row)

    def _readership(self, node: Node[Any, Any]) -> Readership:
        found = self._by_node.get(node)
        if found is None:
            found = self._by_node[node] = Readership(self._node, self.dirty)
            node.readerships.append(found)
        return found

    def _flat(self, nodes: list[Any], keys: list[Any]) -> tuple[Any, ...]:
        if not keys:
            return ()
        shape = tuple(nodes)
        return (self._shapes.setdefault(shape, shape), *keys)


_Pairs = Sequence[tuple[Any, Any]]


def _pairs(row: Hashable, reads: tuple[Any, ...]) -> _Pairs:
    if not reads:
        return ()
    keys = [row if key is OWN else key for key in reads[1:]]
    return list(zip(reads[0], keys, strict=True))


def _apart(gone: _Pairs, come: _Pairs) -> tuple[_Pairs, _Pairs]:
    """Without what is in both: a row that reads thousands mostly reads one other than before."""
    before, after = dict.fromkeys(gone), dict.fromkeys(come)
    return [each for each in before if each not in after], [
        each for each in after if each not in before
    ]


def _sharing(last: tuple[Any, ...], reads: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same, with the very keys of the row before where they are equal.

    Neighbours mostly read the same Namespace, Gateway and class: 0.8 KB a service.
    """
    if reads == last:
        return last
    if len(reads) != len(last):
        return reads
    return tuple([old if old == new else new for old, new in zip(last, reads, strict=True)])
