"""Folders and files of manifests as a source of objects: each scan gives what has changed."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from pathlib import Path

import msgspec

from serai.api.meta import Key, Object
from serai.api.problem import MORE, Place, Problem
from serai.sources import watch
from serai.sources.batch import Batch
from serai.sources.choice import Version, choose, conflicts
from serai.sources.file import File, is_settled, read_file
from serai.sources.find import FoundFile, find_files
from serai.sources.known import KnownFiles, Looked, absolute

MOST_NAMED = 3
"""Objects that one message names."""


class FolderSource:
    """Reads manifests from files, and from folders recursively.

    An object that can't be used harms no other, and its version read before stays in force; so
    does everything of a file or folder that can't be read.  Where there is no such version of an
    object that may restrict who gets in, one that says that it can't be read is in force.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """Nothing is read yet.  A file is read whatever its name."""
        self.paths = tuple(paths)
        self.last = Batch()
        """What the last scan gave."""
        self.lost: tuple[str, ...] = ()
        """Paths that the last scan could not look into."""
        self.half_written = False
        """Whether the last scan left a file aside because it seemed unfinished."""
        self.unwatched: Problem | None = None
        """Set while changes are found by looking from time to time only."""
        self._files: dict[str, File] = {}
        self._holders: dict[Key, tuple[str, ...]] = {}
        """The files that have to do with an object."""
        self._in_force: dict[Key, Version] = {}
        self._stand_ins: dict[Key, Version] = {}
        """What is in force where nothing can be used and nothing must be let through."""
        self._conflicts: dict[Key, tuple[Problem, ...]] = {}
        self._places: dict[Key, Place] = {}
        self._lost_problems: tuple[Problem, ...] = ()
        self._told: set[str] = set()
        """The files that have problems."""
        self._unfinished: set[str] = set()
        self._gone: dict[str, float] = {}
        """The files that are not there, while they may yet come back, and since when."""
        self._known = KnownFiles(self.paths)

    def scan(self, happened: frozenset[str] | None = None) -> Batch:
        """Reads what has changed since the last scan.  Never raises on anything it finds.

        `happened` are the only files (absolute paths) that something happened to, where that is
        known; everything else is not even looked at.
        """
        looked = self._known.look(happened | self.unsettled) if happened else None
        if looked is None:
            looked = self._look_at_all()
        others = bool(looked.files.keys() - self._files.keys())
        touched = self._read(looked.files)
        touched |= self._forget(looked.gone, moved=others and not self._unfinished)
        self.half_written = bool(self._unfinished or self._gone)
        changed: dict[Key, Object] = {}
        removed = []
        places: dict[Key, Place | None] = {}
        for key in touched:
            before = self._in_force.get(key) or self._stand_ins.get(key)
            after = self._choose(key) or self._stand_in(key)
            place = after.place if after is not None else None
            if self._places.get(key) != place:
                places[key] = place
            if after is None:
                if before is not None:
                    removed.append(key)
            elif before is None or before.object != after.object:
                changed[key] = after.object
        self._move(places)
        self.last = Batch(
            changed,
            frozenset(removed),
            tuple(sorted(self._problems(), key=_order)),
            self._places,
            len(self._files),
            len(self._in_force),
        )
        return self.last

    def changes(self) -> AsyncGenerator[Batch, None]:
        """Every later change as it happens, a burst of changes as one batch; ends when closed."""
        return watch.changes(self)

    def concerns(self, path: str) -> bool:
        """Whether an absolute path was asked for, or files are known below it."""
        return self._known.concern(path)

    @property
    def unsettled(self) -> frozenset[str]:
        """The files (absolute paths) that the last scan left aside, to be looked at soon again."""
        return frozenset(map(absolute, (*self._unfinished, *self._gone)))

    def _look_at_all(self) -> Looked:
        found = find_files(self.paths)
        self.lost, self._lost_problems = found.lost, found.problems
        self._known.linked = found.linked
        missing = self._files.keys() - found.files.keys()
        return Looked(found.files, {each for each in missing if not _is_below(each, found.lost)})

    def _move(self, places: dict[Key, Place | None]) -> None:
        """Notes where objects are now; what was handed out before stays as it is."""
        if not places:
            return
        self._places = self._places.copy()
        for key, place in places.items():
            if place is None:
                del self._places[key]
            else:
                self._places[key] = place

    def _read(self, files: dict[str, FoundFile]) -> set[Key]:
        """Brings these files up to date; the keys of the objects concerned."""
        touched: set[Key] = set()
        for path, file in files.items():
            before = self._files.get(path)
            if before and before.signature == file.signature:
                continue
            if before is None:
                self._known.add(path)
            after = read_file(file, before)
            if before is None or not before.says_the_same(after):
                touched |= self._replace(path, before, after)
            self._files[path] = after
            _note(self._unfinished, path, of=after.half_written)
            _note(self._told, path, of=after.has_problems)
        return touched

    def _forget(self, gone: Collection[str], *, moved: bool) -> set[Key]:
        """Drops the files that are gone; the keys of the objects concerned.

        A file that is replaced is gone for a moment, and is not believed to be gone at once; unless
        what was in it has `moved`: others came meanwhile, and none is left aside as unfinished,
        which may be the one that does without what was in it.
        """
        touched: set[Key] = set()
        now = time.monotonic()
        self._gone = {path: self._gone.get(path, now) for path in gone}
        for path, since in tuple(self._gone.items()):
            if moved or is_settled(now - since):
                touched |= self._replace(path, self._files.pop(path), None)
                del self._gone[path]
                self._known.drop(path)
                self._unfinished.discard(path)
                self._told.discard(path)
        return touched

    def _replace(self, path: str, before: File | None, after: File | None) -> set[Key]:
        """Notes which objects a file has to do with; the keys of those before and after."""
        old = before.keys if before else set()
        new = after.keys if after else set()
        for key in old - new:
            self._holders[key] = tuple(each for each in self._holders[key] if each != path)
        alone = (path,)
        for key in new - old:
            others = self._holders.get(key)
            self._holders[key] = (*others, path) if others else alone
        return old | new

    def _choose(self, key: Key) -> Version | None:
        """Puts the right version of an object in force."""
        files = [self._files[path] for path in self._holders.get(key, ())]
        versions = sorted(
            (
                Version(Place(file.path, line), item)
                for file in files
                for line, item in file.versions(key)
            ),
            key=lambda version: version.place,
        )
        claimed = frozenset(file.path for file in files if file.claims(key))
        chosen = choose(versions, self._in_force.get(key), claimed)
        self._conflicts.pop(key, None)
        self._stand_ins.pop(key, None)
        if chosen is None:
            self._in_force.pop(key, None)
            if not files:
                self._holders.pop(key, None)
            return None
        self._in_force[key] = chosen
        if len(versions) > 1 or (versions and versions[0].place != chosen.place):
            self._conflicts[key] = tuple(conflicts(key, versions, chosen))
        return chosen

    def _stand_in(self, key: Key) -> Version | None:
        """What is in force of an object of which nothing can be used."""
        found = [
            Version(Place(path, stand_in[0]), stand_in[1])
            for path in self._holders.get(key, ())
            if (stand_in := self._files[path].stand_ins.get(key))
        ]
        if found:
            self._stand_ins[key] = min(found, key=lambda version: version.place)
        return self._stand_ins.get(key)

    def _problems(self) -> Iterator[Problem]:
        yield from self._lost_problems
        if self.unwatched:
            yield self.unwatched
        for problems in self._conflicts.values():
            yield from problems
        for path in self._told:
            file = self._files[path]
            for problem in file.problems():
                told = file.unreadable or problem.severity == "warning" or problem.code == MORE
                yield problem if told else self._with_consequence(problem, file)

    def _with_consequence(self, problem: Problem, file: File) -> Problem:
        """The problem, saying also what is in force instead."""
        version = self._in_force.get(problem.key) if problem.key else None
        kept = sorted(file.suspects.keys() & self._in_force.keys())
        if version and version.place.file == file.path:
            follows = "the version read before stays in force"
        elif version:
            follows = f"not used; the version in {version.place} is in force"
        elif kept:
            more = ", ..." if len(kept) > MOST_NAMED else ""
            names = ", ".join(map(str, kept[:MOST_NAMED])) + more
            follows = f"what may have been here stays in force: {names}"
        elif problem.key in self._stand_ins:
            follows = "until it can be read, what it is for is refused as far as it may restrict it"
        else:
            follows = "not used"
        return msgspec.structs.replace(problem, message=f"{problem.message}; {follows}")


def _note(paths: set[str], path: str, *, of: bool) -> None:
    """Has a path in a set, or not."""
    if of:
        paths.add(path)
    else:
        paths.discard(path)


def _is_below(path: str, lost: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(root.rstrip(os.sep) + os.sep) for root in lost)


def _order(problem: Problem) -> tuple[Place, str, str, str]:
    return (problem.place or Place(""), problem.path, problem.code, problem.message)
