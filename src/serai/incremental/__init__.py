"""Keyed collections that stay proportional to what changed.  Knows nothing of networking.

    Table ──► Derived ──► Index ──► Derived ──► ...

A Table is filled from outside.  A Derived collection is computed from another one, row by row,
by a pure function; what else the function looks at, it looks at through its Reader, key by key,
and only that.  An Index finds rows by another key, a Union shows several collections as one, and a
Transient collection is a Derived one that keeps its rows no longer than a commit.
Graph.commit() brings everything up to date in one pass, in order of creation: exactly the rows
that read what changed are computed again, once, and a row that turns out equal to what it was
stops there.
"""

from serai.incremental.derived import Derived, Reader, mapped
from serai.incremental.graph import Failure, Graph, Node
from serai.incremental.index import Index
from serai.incremental.table import Table
from serai.incremental.transient import Transient, mapped_transient
from serai.incremental.union import Union

__all__ = [
    "Derived",
    "Failure",
    "Graph",
    "Index",
    "Node",
    "Reader",
    "Table",
    "Transient",
    "Union",
    "mapped",
    "mapped_transient",
]
