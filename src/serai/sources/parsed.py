"""What parsers of documents return, and what they have in common."""

from __future__ import annotations

from typing import Any

import msgspec

DEEPEST = 64
"""Levels of maps and lists in one document."""

SYNTAX, TOO_MUCH = "SER0001", "SER0011"


class Fault(msgspec.Struct, frozen=True):
    """Why a document can't be read, or not in full."""

    code: str
    message: str
    remedy: str
    line: int = 1
    """Counted from 1 within the document's text."""


class Parsed(msgspec.Struct, frozen=True):
    """One document's value."""

    value: Any = None
    """None where nothing but comments is there, and where a fault left nothing."""
    line: int = 1
    """Where the value begins, after comments and blank lines."""
    faults: tuple[Fault, ...] = ()
    item_lines: tuple[int, ...] = ()
    """The lines where the entries of the top-level field ``items`` begin."""
