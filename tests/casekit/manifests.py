"""Manifests of a case: objects to put in, and keys to take out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import yaml

from serai.api.decode import decode
from serai.api.meta import Key, Object
from serai.api.problem import Problem

_SEPARATOR = re.compile(r"^---[ \t]*$", re.MULTILINE)
_DELETE = re.compile(r"\A\s*# delete\b")


class Batch(NamedTuple):
    """What one file changes."""

    changed: tuple[Object, ...]
    removed: tuple[Key, ...]
    problems: tuple[Problem, ...]


def read_batch(path: Path) -> Batch:
    """The objects of a file; of a document that begins with ``# delete``, only its key."""
    changed: list[Object] = []
    removed: list[Key] = []
    problems: list[Problem] = []
    for text in _SEPARATOR.split(path.read_text()):
        raw = yaml.safe_load(text)
        if raw is None:
            continue
        decoded = decode(raw)
        if _DELETE.match(text):
            if decoded.key is None:
                raise ValueError(f"{path}: a document to delete has no identity")
            removed.append(decoded.key)
            continue
        problems += decoded.problems
        if found := decoded.object or decoded.stands_in:
            changed.append(found)
    return Batch(tuple(changed), tuple(removed), tuple(problems))
