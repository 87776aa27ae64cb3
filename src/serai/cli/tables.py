"""Tables on the terminal: aligned columns, with colour only where a person looks."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from serai.cli.output import data
from serai.views.listing import GAP, Column, Listing, Table

_STYLES = {"": "", "good": "green", "warning": "yellow", "bad": "red"}


class TablePrinter:
    """Prints rows under one row of titles, however often it gets some."""

    def __init__(self, listing: Listing, *, wide: bool) -> None:
        self._table = Table(listing, wide=wide)
        self._begun = False

    def print(self, rows: Sequence[Any]) -> None:
        """Print some rows; the first time after their titles."""
        lines = self._table.fit(rows)
        if not self._begun:
            self._begun = True
            _print(self._table.titles(), ["bold"] * len(self._table.columns))
        for row, line in zip(rows, lines, strict=True):
            _print(line, [_style(column, row) for column in self._table.columns])


def is_watched() -> bool:
    """Whether standard output is a terminal that may be coloured.  See no-color.org."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def _style(column: Column, row: Any) -> str:
    return _STYLES[column.tone(row)]


def _print(line: list[str], styles: list[str]) -> None:
    if not is_watched():
        data(GAP.join(line).rstrip())
        return
    from rich.console import Console  # noqa: PLC0415  only where somebody looks
    from rich.text import Text  # noqa: PLC0415

    text = Text(GAP).join(Text(cell, style) for cell, style in zip(line, styles, strict=True))
    text.rstrip()
    Console(highlight=False, soft_wrap=True, force_terminal=True).print(text)
