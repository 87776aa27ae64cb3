"""Bad input as data: what is wrong, where, and what to do about it."""

from __future__ import annotations

from typing import Literal

import msgspec

from serai.api.meta import Key

MORE = "SER0014"
"""The code of the problem that only counts further ones."""


LONGEST_VALUE = 80
"""Characters of a value that a message repeats."""


def shown(value: object) -> str:
    """A value as a message repeats it."""
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


class Place(msgspec.Struct, frozen=True, order=True, gc=False):
    """A position in a file; lines count from 1, and 0 means the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Problem(msgspec.Struct, frozen=True, gc=False):
    """Something a person must know.  After an error an object, or a part, is not used."""

    code: str
    """Never reused; docs/problems.md lists them."""
    severity: Literal["error", "warning"]
    message: str
    """What happened and what follows from it."""
    remedy: str = ""
    key: Key | None = None
    path: str = ""
    """The field, such as ``spec.rules[0].backendRefs[1].name``."""
    place: Place | None = None
    """Known for what was read from a file."""
