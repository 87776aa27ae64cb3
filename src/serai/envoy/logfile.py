"""A log file that Envoy appends to: kept from growing for ever, and read as it grows."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_BYTES = 8 * 1024 * 1024
KEPT = 3
"""Older files beside the current one: x.log.1 is the newest of them."""

READ_BYTES = 1024 * 1024
"""At most so much is read at once; what a flood has beyond that is skipped, not queued."""


def rotate(path: Path, limit: int = LIMIT_BYTES) -> None:
    """Move a log that is over the limit out of the way, before a process opens it."""
    if path.exists() and path.stat().st_size > limit:
        _make_room(path)
        path.rename(_numbered(path, 1))


def trim(path: Path, limit: int = LIMIT_BYTES) -> None:
    """Empty a log that is over the limit while a process appends to it; what it had is kept."""
    if not path.exists() or path.stat().st_size <= limit:
        return
    _make_room(path)
    shutil.copyfile(path, _numbered(path, 1))
    # Envoy has the file open with O_APPEND, so it goes on at the new end, which is 0.
    os.truncate(path, 0)


class Tail:
    """The lines that are appended to a file."""

    def __init__(self, path: Path, *, limit: int = LIMIT_BYTES) -> None:
        """Begin at the file's present end, or at its beginning if there is none yet."""
        self._path = path
        self._limit = limit
        self._offset = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def read(self) -> list[str]:
        """The lines completed since the last call.  A file over the limit is copied and emptied."""
        try:
            with self._path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < self._offset:
                    self._offset, self._rest = 0, b""
                if size - self._offset > READ_BYTES:
                    self._offset, self._rest = size - READ_BYTES, b""
                file.seek(self._offset)
                content = file.read(READ_BYTES)
        except FileNotFoundError:
            return []
        self._offset += len(content)
        if self._offset > self._limit:
            trim(self._path, self._limit)
            self._offset = 0
        *lines, self._rest = (self._rest + content).split(b"\n")
        return [line.decode(errors="replace") for line in lines]


def _make_room(path: Path) -> None:
    _numbered(path, KEPT).unlink(missing_ok=True)
    for number in range(KEPT - 1, 0, -1):
        if _numbered(path, number).exists():
            _numbered(path, number).rename(_numbered(path, number + 1))


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
