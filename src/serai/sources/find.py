"""Which files lie at some paths: folders recursively, without hidden and temporary files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from serai.api.problem import Place, Problem

SUFFIXES = (".yaml", ".yml", ".json")

Signature = tuple[int, int, int, int]
"""Device, inode, size and time of change: the same as long as a file is not written."""


class FoundFile(msgspec.Struct, frozen=True):
    """A file to read."""

    path: str
    """As the user would write it."""
    signature: Signature
    written: float
    """When it last changed, in seconds since 1970."""


class Found(msgspec.Struct):
    """What lies at the paths now."""

    files: dict[str, FoundFile] = {}
    """By real path, so that links make no file appear twice."""
    lost: tuple[str, ...] = ()
    """Paths that can't be looked into; nothing is known of what is below them."""
    problems: tuple[Problem, ...] = ()


def find_files(paths: Sequence[Path]) -> Found:
    """Looks everything up.  Kubernetes' mounted ConfigMaps, made of links, count once."""
    found = Found(files={})
    seen: set[tuple[int, int]] = set()
    for path in paths:
        _visit(str(path), found, seen, asked_for=True)
    return found


def is_wanted(name: str) -> bool:
    """Whether a file's name is that of a manifest: not hidden, not an editor's."""
    hidden = name.startswith((".", "#")) or name.endswith("~")
    return not hidden and name.lower().endswith(SUFFIXES)


def _visit(path: str, found: Found, seen: set[tuple[int, int]], *, asked_for: bool) -> None:
    try:
        status = os.stat(path)
    except OSError as error:
        if asked_for or is_wanted(os.path.basename(path)):
            _lose(path, found, error)
        return
    if stat.S_ISDIR(status.st_mode):
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            for below in _listed(path, found, asked_for=asked_for):
                _visit(below, found, seen, asked_for=False)
    elif stat.S_ISREG(status.st_mode) and (asked_for or is_wanted(os.path.basename(path))):
        signature = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        file = FoundFile(path, signature, status.st_mtime)
        found.files.setdefault(os.path.realpath(path), file)


def _listed(path: str, found: Found, *, asked_for: bool) -> Iterator[str]:
    try:
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))
    except FileNotFoundError as error:
        if asked_for:
            _lose(path, found, error)
        return
    except OSError as error:
        _lose(path, found, error)
        return
    for name in names:
        yield os.path.join(path, name)


def _lose(path: str, found: Found, error: OSError) -> None:
    """Notes a path that can't be looked into, as a problem and not as an empty folder."""
    found.lost += (path,)
    message = f"cannot be read: {error.strerror or error}; what was read from it stays in force"
    remedy = "Put it back, or make it readable; to remove its objects, delete them from the files."
    found.problems += (Problem("SER0010", "error", message, remedy, place=Place(path)),)
