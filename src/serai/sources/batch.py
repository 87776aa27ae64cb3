"""What every source tells: the objects that changed, and where they are."""

from __future__ import annotations

import msgspec

from serai.api.meta import Key, Object
from serai.api.problem import Place, Problem


class Batch(msgspec.Struct, frozen=True):
    """What changed since the scan before, all of it at once."""

    changed: dict[Key, Object] = {}
    """Objects that are new or have another value."""
    removed: frozenset[Key] = frozenset()
    problems: tuple[Problem, ...] = ()
    """All problems there are now, in order of their places."""
    places: dict[Key, Place] = {}
    """Where each object in force is written."""
    files: int = 0
    """How many files were found."""
    objects: int = 0
    """How many objects are in force."""
