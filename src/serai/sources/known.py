"""The files that are known, by their absolute paths, so that a few of many can be looked at."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from serai.sources.find import FoundFile, as_found, is_wanted


class Looked(msgspec.Struct):
    """What is at some paths now."""

    files: dict[str, FoundFile]
    """By path, as the user would write it; new ones are among them."""
    gone: set[str]
    """Likewise; they were known."""


class KnownFiles:
    """The files of the last scan of everything, and of what happened to a few of them since."""

    def __init__(self, asked: Sequence[Path]) -> None:
        """`asked`: the files and folders that a user named."""
        self.linked = False
        """Whether links lead to any: what happens to one path may then be seen at others."""
        self._asked = frozenset(map(str, asked))
        self._paths: dict[str, str] = {}
        """As the user would write them, by absolute paths."""
        self._folders: dict[str, str] = {}
        """Likewise the folders in which files were found."""

    def add(self, path: str) -> None:
        """A file was found."""
        whole = absolute(path)
        self._paths[whole] = path
        if path not in self._asked:
            self._folders[_split(whole)[0]] = _split(path)[0]

    def drop(self, path: str) -> None:
        """It is there no more."""
        self._paths.pop(absolute(path), None)

    def concern(self, path: str) -> bool:
        """Whether an absolute path was asked for, or files are known below it."""
        asked = any(absolute(each) == path for each in self._asked)
        return asked or any(each.startswith(f"{path}{os.sep}") for each in tuple(self._paths))

    def look(self, happened: Iterable[str]) -> Looked | None:
        """What is at these absolute paths; None where only a look at everything can tell.

        That is for whatever may be, lead to, or have been a folder, and for links.
        """
        if self.linked:
            return None
        looked = Looked({}, set())
        for whole in happened:
            path = self._paths.get(whole)
            try:
                status = Path(whole).lstat()
            except FileNotFoundError:
                if path is None or not self._may_go(path, whole):
                    return None
                looked.gone.add(path)
                continue
            except OSError:
                return None
            path = path or self._beside_others(whole)
            if path is None or not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                return None
            looked.files[path] = as_found(path, status)
        return looked

    def _may_go(self, path: str, whole: str) -> bool:
        """Whether it is the file alone that is not there, and nobody asked for it by name."""
        return path not in self._asked and Path(whole).parent.is_dir()

    def _beside_others(self, whole: str) -> str | None:
        """A new file's path, in a folder of which it is known how it is reached."""
        above, name = _split(whole)
        folder = self._folders.get(above)
        if folder is None or not is_wanted(name):
            return None
        return f"{folder}{os.sep}{name}"


def absolute(path: str) -> str:
    """A path from the root on, whatever links are in it."""
    return path if path.startswith(os.sep) else str(Path(path).absolute())


def _split(path: str) -> tuple[str, str]:
    """A path's folder and its name, each as written: ``./a.yaml`` is in ``.``."""
    folder, _, name = path.rpartition(os.sep)
    return folder, name
