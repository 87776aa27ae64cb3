"""Which files lie at some paths: folders recursively, without hidden and temporary files."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Sequence
from pathlib import Path

import msgspec

from serai.api.problem import Place, Problem

SUFFIXES = (".yaml", ".yml", ".json")

Signature = bytes
"""Device, inode, size and time of change: the same as long as a file is not written.

Packed: as numbers they would take 220 bytes a file.
"""
_SIGNATURE = struct.Struct("=QQQq")


class FoundFile(msgspec.Struct, frozen=True):
    """A file to read."""

    path: str
    """As the user would write it."""
    signature: Signature
    size: int
    """Bytes."""
    written: float
    """When it last changed, in seconds since 1970."""


class Found(msgspec.Struct):
    """What lies at the paths now."""

    files: dict[str, FoundFile] = {}
    """By path.  A file that several links lead to is here once."""
    lost: tuple[str, ...] = ()
    """Paths that can't be looked into; nothing is known of what is below them."""
    problems: tuple[Problem, ...] = ()
    linked: bool = False
    """Whether links lead to anything, so that one file may have several paths."""


def find_files(paths: Sequence[Path]) -> Found:
    """Looks everything up.  Kubernetes' mounted ConfigMaps, made of links, count once."""
    found = Found(files={})
    seen: set[tuple[int, int]] = set()
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            _lose(str(path), found, error)
        else:
            _visit(str(path), status, found, seen, asked_for=True)
    return found


def is_wanted(name: str) -> bool:
    """Whether a file's name is that of a manifest: not hidden, not an editor's."""
    hidden = name.startswith((".", "#")) or name.endswith("~")
    return not hidden and name.lower().endswith(SUFFIXES)


def _visit(
    path: str,
    status: os.stat_result,
    found: Found,
    seen: set[tuple[int, int]],
    *,
    asked_for: bool = False,
) -> None:
    """Notes a file, or what is below a folder, unless it was seen under another name."""
    identity = (status.st_dev, status.st_ino)
    is_folder = stat.S_ISDIR(status.st_mode)
    if identity in seen or not (is_folder or stat.S_ISREG(status.st_mode)):
        return
    seen.add(identity)
    if is_folder:
        _look_into(path, found, seen, asked_for=asked_for)
    else:
        found.linked = found.linked or status.st_nlink > 1
        found.files[path] = as_found(path, status)


def as_found(path: str, status: os.stat_result) -> FoundFile:
    """A file as its status tells it."""
    size = status.st_size
    signature = _SIGNATURE.pack(status.st_dev, status.st_ino, size, status.st_mtime_ns)
    return FoundFile(path, signature, size, status.st_mtime)


def _look_into(path: str, found: Found, seen: set[tuple[int, int]], *, asked_for: bool) -> None:
    try:
        with os.scandir(path) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        if asked_for or not isinstance(error, FileNotFoundError):
            _lose(path, found, error)
        return
    for entry in entries:
        wanted = is_wanted(entry.name)
        if not wanted and (entry.name.startswith(".") or not entry.is_dir()):
            continue
        found.linked = found.linked or entry.is_symlink()
        try:
            _visit(entry.path, entry.stat(), found, seen)
        except OSError as error:
            if wanted:
                _lose(entry.path, found, error)


def _lose(path: str, found: Found, error: OSError) -> None:
    """Notes a path that can't be looked into, as a problem and not as an empty folder."""
    found.lost += (path,)
    message = f"cannot be read: {error.strerror or error}; what was read from it stays in force"
    remedy = "Put it back, or make it readable; to remove its objects, delete them from the files."
    found.problems += (Problem("SER0010", "error", message, remedy, place=Place(path)),)
