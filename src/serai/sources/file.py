"""What one file says, and what it said before, of each object."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec

from serai.api.meta import Key, Object
from serai.api.problem import MORE, Place, Problem
from serai.api.unread import Unread
from serai.sources.documents import Document, decode_text, split
from serai.sources.find import FoundFile, Signature
from serai.sources.reading import MOST_LISTED, Reading, read_document

LARGEST_FILE = 64 << 20
"""Bytes; larger files are not read."""
SETTLED_SECONDS = 0.3
"""A file that looks half written is believed when nothing has changed it for this long."""
EMPTY_SECONDS = 5.0
"""Likewise an empty one: `kubectl get -o yaml > FILE` empties it before kubectl even begins."""
FINEST_CLOCK_SECONDS = 0.1
"""Two changes closer than this may bear the same time."""


MOST_LOOKED_THROUGH = 8
"""Objects of a file that are looked through for one; a dictionary of two takes 350 bytes."""

Written: TypeAlias = tuple[tuple[int, Object], ...]
"""Versions of an object in one file, with their lines; usually one."""

_NONE: dict[Key, Any] = {}


class Part(msgspec.Struct, frozen=True, gc=False):
    """One document of a file."""

    line: int
    digest: bytes
    reading: Reading


class File(msgspec.Struct, frozen=True, gc=False):
    """One file as last read."""

    path: str
    signature: Signature | None = None
    """None where the file must be read again whatever its signature."""
    digest: bytes = b""
    parts: tuple[Part, ...] = ()
    index: dict[Key, Written] | None = None
    """The objects of `parts`, where they are too many to be looked through."""
    broken: dict[Key, int] = {}
    """Objects that are there but can't be used, with their lines."""
    stand_ins: dict[Key, tuple[int, Unread]] = {}
    """For objects that can't be used and must not let more through, with their lines."""
    suspects: dict[Key, frozenset[bytes]] = {}
    """Objects that were there and are gone from sight while documents (by digest) appeared that
    don't tell what they are."""
    unreadable: Problem | None = None
    """Set where the file as a whole can't be read now; the rest is as read before."""
    half_written: bool = False
    """Whether the file has changed, but seems unfinished; the rest is as read before."""

    @property
    def keys(self) -> set[Key]:
        """Every object that this file has to do with."""
        return {*self.usable, *self.broken, *self.stand_ins, *self.suspects}

    @property
    def usable(self) -> set[Key]:
        """Every object that was read from this file and can be used."""
        return set(self.index) if self.index is not None else {key for key, _ in _all(self.parts)}

    def versions(self, key: Key) -> Written:
        """The versions of an object in this file that can be used."""
        if self.unreadable:
            return ()
        if self.index is not None:
            return self.index.get(key, ())
        return tuple(found for each, found in _all(self.parts) if each == key)

    def claims(self, key: Key) -> bool:
        """Whether an object may be in this file although no version of it can be used."""
        return key in self.broken or key in self.suspects or bool(self.unreadable)

    def says_the_same(self, later: File) -> bool:
        """Whether a later reading of the file changes nothing for any object."""
        return self.parts is later.parts and self.unreadable == later.unreadable

    @property
    def has_problems(self) -> bool:
        """Whether there is anything to tell of this file."""
        return bool(self.unreadable) or any(
            part.reading.problems or part.reading.more for part in self.parts
        )

    def problems(self) -> Iterator[Problem]:
        """The problems of this file, with their places; past a number only how many."""
        if self.unreadable:
            yield self.unreadable
            return
        listed, more = 0, 0
        for part in self.parts:
            more += part.reading.more
            for line, problem in part.reading.problems:
                if listed == MOST_LISTED:
                    more += 1
                    continue
                listed += 1
                place = Place(self.path, part.line + line - 1)
                yield msgspec.structs.replace(problem, place=place)
        if more:
            message = f"and {more} more problems in this file"
            remedy = "Correct those listed first."
            yield Problem(MORE, "error", message, remedy, place=Place(self.path))


def _all(parts: tuple[Part, ...]) -> Iterator[tuple[Key, tuple[int, Object]]]:
    """Each object with its line in the file."""
    for part in parts:
        for line, item in part.reading.objects:
            yield item.key, (part.line + line - 1, item)


def is_settled(seconds: float, *, empty: bool = False) -> bool:
    """Whether a file that nothing has changed for so long is as its writer wants it."""
    return not 0 <= seconds < (EMPTY_SECONDS if empty else SETTLED_SECONDS)


def read_file(found: FoundFile, before: File | None) -> File:
    """Reads a file, and again only the documents that were not in it before."""
    before_or_new = before or File(found.path)
    if found.size > LARGEST_FILE:
        return _unreadable(before_or_new, _too_large(found))
    try:
        data = _bytes(found)
    except OSError as error:
        return _unreadable(before_or_new, _not_read(found, error))
    age = time.time() - found.written
    signature = found.signature if age > FINEST_CLOCK_SECONDS else None
    digest = hashlib.blake2b(data, digest_size=16).digest()
    if before and digest == before.digest:
        return msgspec.structs.replace(
            before, signature=signature, unreadable=None, half_written=False
        )
    if before and before.usable and _seems_half_written(data, age):
        return msgspec.structs.replace(before, signature=None, half_written=True)
    documents = split(decode_text(data))
    after = _file(found.path, signature, digest, documents, before_or_new)
    if before and before.keys - after.keys and not is_settled(age):
        # Whoever writes a long file writes its beginning first.
        return msgspec.structs.replace(before, signature=None, half_written=True)
    return after


def _bytes(found: FoundFile) -> bytes:
    """What is in a file, in the few calls of the system that it takes."""
    file = os.open(found.path, os.O_RDONLY)
    try:
        data = os.read(file, found.size + 1)
        # Whoever is at work on the file may have made it longer; some file systems give less.
        while len(data) != found.size and (more := os.read(file, LARGEST_FILE)):
            data += more
    finally:
        os.close(file)
    return data


def _file(
    path: str,
    signature: Signature | None,
    digest: bytes,
    documents: tuple[Document, ...],
    before: File,
) -> File:
    parts = tuple(_parts(documents, before))
    objects: dict[Key, Written] = {}
    for key, found in _all(parts):
        objects[key] = (*objects.get(key, ()), found)
    broken: dict[Key, int] = {}
    stand_ins: dict[Key, tuple[int, Unread]] = {}
    for part in parts:
        for line, key in part.reading.broken:
            broken.setdefault(key, part.line + line - 1)
        for line, stand_in in part.reading.stand_ins:
            stand_ins.setdefault(stand_in.key, (part.line + line - 1, stand_in))
    missing = before.keys - objects.keys() - broken.keys()
    suspects = dict(_suspects(before, parts, missing))
    kept = {key: each for key, each in before.stand_ins.items() if key in suspects}
    stand_ins = {**kept, **stand_ins}
    # Most files have none of these, and an empty dictionary takes 64 bytes.
    rare = (broken or _NONE, stand_ins or _NONE, suspects or _NONE)
    index = objects if len(objects) > MOST_LOOKED_THROUGH else None
    return File(path, signature, digest, parts, index, *rare)


def _parts(documents: tuple[Document, ...], before: File) -> Iterator[Part]:
    known = {part.digest: part.reading for part in before.parts}
    for document in documents:
        data = document.text.encode("utf-8", "surrogateescape")
        digest = hashlib.blake2b(data, digest_size=16).digest()
        reading = known.get(digest)
        if reading is None:
            reading = known[digest] = read_document(document.text)
        yield Part(document.line, digest, reading)


def _suspects(
    before: File, parts: tuple[Part, ...], missing: set[Key]
) -> Iterator[tuple[Key, frozenset[bytes]]]:
    """Which of the missing objects one of the unidentified documents may be.

    A document that was unidentified before an object went missing is not that object.
    """
    now = {part.digest for part in parts if part.reading.unidentified}
    new = now - {part.digest for part in before.parts if part.reading.unidentified}
    for key in missing:
        documents = frozenset(new | (before.suspects.get(key, frozenset()) & now))
        if documents:
            yield key, documents


def _seems_half_written(data: bytes, age: float) -> bool:
    """Whether a file is empty, or its last line has no end while it is no complete JSON."""
    text = data.strip()
    if not text:
        return not is_settled(age, empty=True)
    whole = data.endswith(b"\n") or (text[:1] == b"{" and text[-1:] == b"}")
    return not (whole or is_settled(age))


def _unreadable(before: File, problem: Problem) -> File:
    return msgspec.structs.replace(before, signature=None, unreadable=problem, half_written=False)


_STAYS = "what was read from it before stays in force"


def _too_large(found: FoundFile) -> Problem:
    message = f"has {found.size >> 20} MiB; the most is 64 MiB; {_STAYS}"
    remedy = "Split it into several files."
    return Problem("SER0011", "error", message, remedy, place=Place(found.path))


def _not_read(found: FoundFile, error: OSError) -> Problem:
    message = f"cannot be read: {error.strerror or error}; {_STAYS}"
    return Problem("SER0010", "error", message, "Make it readable.", place=Place(found.path))
