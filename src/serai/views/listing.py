"""What can be listed: rows of one kind, the columns to show them in, and what to call them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec

from serai.views.row import Row
from serai.views.state import State

Tone = Literal["", "good", "warning", "bad"]

GAP = "   "
"""Between columns."""


class Column(msgspec.Struct, frozen=True):
    """A column of a table."""

    title: str
    text: Callable[[Any], str]
    wide: bool = False
    """Whether it is only shown when all columns are asked for."""
    number: bool = False
    """Whether it is aligned to the right."""
    tone: Callable[[Any], Tone] = lambda _: ""
    """How good or bad what it says is."""


class Listing(msgspec.Struct, frozen=True):
    """Rows of one kind."""

    name: str
    """Plural, as in ``serai get services``."""
    kind: str
    """The kind of one row in JSON."""
    row: type[Row]
    rows: Callable[[State], list[Any]]
    columns: tuple[Column, ...]
    names: Callable[[Any], tuple[str, ...]]
    """By which a row can be asked for; the first goes with `kind` as its name in scripts."""
    aliases: tuple[str, ...] = ()
    asks_envoys: bool = False
    """Whether its rows tell what Envoys think of endpoints, for which each has to be asked."""
    nothing: str = ""
    """What to say when there are none."""


class Table:
    """A table of a listing, which keeps the width of its columns from one part to the next."""

    def __init__(self, listing: Listing, *, wide: bool = False) -> None:
        self.columns = [each for each in listing.columns if wide or not each.wide]
        self._widths = [len(column.title) for column in self.columns]

    def titles(self) -> list[str]:
        """The title of each column, as wide as the column; fit the rows first."""
        return self._padded([column.title for column in self.columns])

    def fit(self, rows: Iterable[Any]) -> list[list[str]]:
        """The cells of some rows, each as wide as its column; nothing is empty."""
        lines = [[column.text(row) or "None" for column in self.columns] for row in rows]
        for line in lines:
            self._widths = [max(pair) for pair in zip(self._widths, map(len, line), strict=True)]
        return [self._padded(line) for line in lines]

    def _padded(self, line: list[str]) -> list[str]:
        return [
            text.rjust(width) if column.number else text.ljust(width)
            for text, width, column in zip(line, self._widths, self.columns, strict=True)
        ]


def aligned(listing: Listing, rows: Iterable[Any], *, wide: bool = False) -> list[str]:
    """A table as plain lines of aligned columns, its titles first."""
    table = Table(listing, wide=wide)
    lines = table.fit(rows)
    return [GAP.join(line).rstrip() for line in (table.titles(), *lines)]
