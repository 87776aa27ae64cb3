"""Files read once and translated, with every problem and where it is; no network, no Envoy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from serai.api.meta import Key
from serai.api.problem import Place, Problem
from serai.app.core import Core
from serai.app.pipeline import Pipeline
from serai.model.settings import Settings
from serai.sources.batch import Batch
from serai.sources.documents import decode_text, parse, split
from serai.sources.folder import FolderSource
from serai.views.problems import found_by, in_order


class Offline(msgspec.Struct, frozen=True):
    """What some files come to."""

    pipeline: Pipeline
    problems: tuple[Problem, ...]
    """Of the files and of what is in them, by place."""
    places: Mapping[Key, Place]
    """Where each object is written."""
    files: int
    objects: int


class Folder:
    """Files that can be read again: each time only what has changed is done again."""

    def __init__(self, paths: Sequence[Path], settings: Settings) -> None:
        self.source = FolderSource(paths)
        self.core = Core(settings)

    def read(self) -> Offline:
        """Read what is there now.  Never raises on anything it finds."""
        return self.apply(self.source.scan())

    def apply(self, batch: Batch) -> Offline:
        """What the files come to with a batch of changes that the source gave."""
        self.core.apply(batch.changed.values(), batch.removed)
        pipeline = self.core.pipeline
        return Offline(
            pipeline=pipeline,
            problems=in_order([*batch.problems, *located(found_by(pipeline), batch.places)]),
            places=batch.places,
            files=batch.files,
            objects=batch.objects,
        )


def load(paths: Sequence[Path], settings: Settings) -> Offline:
    """Read files, and folders recursively, once."""
    return Folder(paths, settings).read()


def located(problems: Iterable[Problem], places: Mapping[Key, Place]) -> Iterator[Problem]:
    """The problems, each with the line of its field, or at least that of its object."""
    known: list[tuple[Place, Problem]] = []
    for problem in problems:
        place = places.get(problem.key) if problem.key else None
        if place is None:
            yield problem
        else:
            known.append((place, problem))
    known.sort(key=lambda each: each[0])
    for place, group in groupby(known, key=lambda each: each[0]):
        together = [problem for _, problem in group]
        lines = _lines(place, [problem.path for problem in together])
        for problem, line in zip(together, lines, strict=True):
            yield msgspec.structs.replace(problem, place=Place(place.file, line))


def _lines(place: Place, paths: list[str]) -> list[int]:
    """The lines of some fields of the object at a place; the object's own where they fail."""
    from serai.sources.lines import lines_of  # noqa: PLC0415  as long as there are no problems

    try:
        text = decode_text(Path(place.file).read_bytes())
    except OSError:
        return [place.line] * len(paths)
    below = [each for each in split(text) if each.line <= place.line]
    if not below:
        return [place.line] * len(paths)
    document = below[-1]
    within = place.line - document.line + 1
    prefixes = (item.path for item in parse(document.text).items if item.line == within)
    prefix = next(prefixes, "")
    whole = [f"{prefix}.{path}" if prefix else path for path in paths]
    return [max(place.line, document.line + line - 1) for line in lines_of(document.text, whole)]
