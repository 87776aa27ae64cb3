"""Waits for files to change and has them scanned, a burst of changes at once.

Where all that happened is that files were written, made or deleted, only those are looked at.
Else, and from time to time, a scan compares all files with what was read before, which also mends
whatever the operating system failed to tell.
"""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from watchfiles import Change, awatch

from serai.api.problem import Place, Problem
from serai.sources.find import is_wanted

if TYPE_CHECKING:
    from serai.sources.batch import Batch
    from serai.sources.folder import FolderSource

QUIET_MILLISECONDS = 5
"""A burst of changes has ended when nothing changes for this long."""
LONGEST_BURST_MILLISECONDS = 100
"""No change waits longer for others; while one burst is worked on the next one gathers."""
RESCAN_SECONDS = 30.0
"""For what goes unnoticed: network file systems, targets of links, a queue that overflowed."""
SOON_SECONDS = 1.0
"""Between looks at what can't be watched: a folder that is gone, or a watch that failed."""
SETTLE_SECONDS = 0.35
"""After which a file that seemed half written is read again."""

Filter: TypeAlias = Callable[[Change, str], bool]
Roots: TypeAlias = tuple[tuple[str, int, int], ...]
"""Folders to watch with device and inode: another folder under the same name is another root."""


async def changes(source: FolderSource) -> AsyncGenerator[Batch, None]:
    """Scans when something changes, and yields what is new, until closed or cancelled."""
    seen = Seen(source.concerns)
    watches: Watches | None = None
    try:
        while True:
            roots = _roots(source)
            if watches is None or watches.roots != roots:
                if watches:
                    await watches.stop()
                watches = Watches(source, roots, seen)
                await asyncio.sleep(0)
                seen.anything()
            woken = await _woken(seen.wake, _patience(source))
            before = source.last
            source.unwatched = watches.failure
            happened = seen.taken() if woken else _left_aside(source)
            batch = await asyncio.to_thread(source.scan, happened)
            if _is_news(before, batch):
                yield batch
    finally:
        if watches:
            await watches.stop()


class Seen:
    """What was seen to happen since it was last asked for."""

    def __init__(self, concerns: Callable[[str], bool]) -> None:
        """`concerns`: whether an absolute path was asked for, or files are known below it."""
        self.wake = asyncio.Event()
        """Set while anything is to be looked at."""
        self._concerns = concerns
        self._paths: set[str] | None = set()

    def happened(self, changes: Iterable[tuple[Change, str]]) -> None:
        """Something happened to these paths."""
        for _, path in changes:
            absolute = str(Path(path).absolute())
            wanted = is_wanted(Path(path).name)
            if not wanted and not self._may_have_files(absolute):
                continue
            if not wanted:
                self._paths = None
            elif self._paths is not None:
                self._paths.add(absolute)
            self.wake.set()

    def _may_have_files(self, path: str) -> bool:
        """Whether it is, leads to, or was a folder, or was asked for: an editor's draft is not."""
        return Path(path).is_symlink() or Path(path).is_dir() or self._concerns(path)

    def anything(self) -> None:
        """Nobody knows what happened."""
        self._paths = None
        self.wake.set()

    def taken(self) -> frozenset[str] | None:
        """The files that something happened to, if that was all; None where it is not known."""
        paths, self._paths = self._paths, set()
        return frozenset(paths) if paths else None


class Watches:
    """The running watches: over folders with all below, and over the folders they lie in."""

    def __init__(self, source: FolderSource, roots: Roots, seen: Seen) -> None:
        """Starts watching; `seen` is told each change."""
        self.roots = roots
        self.failure: Problem | None = None
        self._seen = seen
        self._stop = asyncio.Event()
        folders = [path for path, _, _ in roots]
        paths = {path.absolute() for path in source.paths}
        parents = sorted({str(path.parent) for path in paths if path.parent.is_dir()})
        self._tasks = [
            asyncio.create_task(self._watch(watched, wanted, recursive=recursive))
            for watched, wanted, recursive in (
                (folders, _may_matter, True),
                (parents, _concerns(paths), False),
            )
            if watched
        ]

    async def stop(self) -> None:
        """Ends the watches and waits until they have ended."""
        self._stop.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch(self, paths: list[str], wanted: Filter, *, recursive: bool) -> None:
        try:
            async for found in awatch(
                *paths,
                watch_filter=wanted,
                debounce=LONGEST_BURST_MILLISECONDS,
                step=QUIET_MILLISECONDS,
                stop_event=self._stop,
                recursive=recursive,
                ignore_permission_denied=True,
            ):
                self._seen.happened(found)
        except (OSError, RuntimeError) as error:
            self.failure = _unwatched(paths[0], error)
            self._seen.anything()


def _roots(source: FolderSource) -> Roots:
    roots = []
    for path in source.paths:
        try:
            status = path.stat()
        except OSError:
            continue
        if stat.S_ISDIR(status.st_mode):
            roots.append((str(path), status.st_dev, status.st_ino))
    return tuple(roots)


async def _woken(wake: asyncio.Event, seconds: float) -> bool:
    """Wait until there is something to look at, so long at most; whether there is."""
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return False
    wake.clear()
    return True


def _left_aside(source: FolderSource) -> frozenset[str] | None:
    """What alone is to be looked at where nothing has happened; None: everything."""
    return None if source.lost or source.unwatched else source.unsettled or None


def _patience(source: FolderSource) -> float:
    if source.half_written:
        return SETTLE_SECONDS
    return SOON_SECONDS if source.lost or source.unwatched else RESCAN_SECONDS


def _is_news(before: Batch, after: Batch) -> bool:
    if after.changed or after.removed or before.problems != after.problems:
        return True
    return before.places is not after.places


def _may_matter(change: Change, path: str) -> bool:
    """Whether a change below a folder may concern a manifest: a log that grows does not.

    Nor does a hidden file, which mostly is a draft that takes a manifest's name once it is written;
    ``..data`` of a ConfigMap and other hidden folders may, since links lead into them.
    """
    name = Path(path).name
    if name.startswith(".") and not name.startswith(".."):
        return Path(path).is_symlink() or Path(path).is_dir()
    return change != Change.modified or is_wanted(name)


def _concerns(paths: set[Path]) -> Filter:
    """Changes in the folder around a path that concern it, or the links that lead to it."""

    def concerns(_: Change, path: str) -> bool:
        return Path(path) in paths or Path(path).name.startswith("..")

    return concerns


def _unwatched(path: str, error: Exception) -> Problem:
    message = f"cannot be watched: {error}; it is looked at every second instead"
    remedy = "Raise fs.inotify.max_user_watches, or leave it: changes arrive a second later."
    return Problem("SER0015", "warning", message, remedy, place=Place(path))
