"""Where answers come from: files that are read for the question, or a running instance."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from serai.model.settings import Settings
from serai.views.explain import Explained, explain
from serai.views.listing import Listing
from serai.views.problems import has_errors, summary
from serai.views.state import State
from serai.views.tracing import Traced, TraceQuestion, traced


class Answers(Protocol):
    """Answers questions about a world."""

    @property
    def note(self) -> str:
        """What should be known of the answers; empty if nothing."""

    def rows(self, listing: Listing) -> list[Any]:
        """Everything that a listing lists."""

    def explain(self, what: str, namespace: str) -> Explained:
        """Everything that applies to something."""

    def trace(self, question: TraceQuestion) -> Traced:
        """What would become of a request."""

    def changes(self) -> AsyncIterator[None]:
        """Goes on each time that the answers may have become others."""


class OfFiles:
    """Reads files, and reads them again when they change."""

    def __init__(self, paths: Sequence[Path], settings: Settings) -> None:
        from serai.app.offline import Folder  # noqa: PLC0415  not where an instance is asked

        self._folder = Folder(paths, settings)
        self._found = self._folder.read()

    @property
    def note(self) -> str:
        """That some objects could not be used."""
        problems = self._found.problems
        paths = " ".join(map(str, self._folder.source.paths))
        told = f"{summary(problems)}; `serai validate {paths}` shows them"
        return told if has_errors(problems) else ""

    def rows(self, listing: Listing) -> list[Any]:
        """Everything that a listing lists."""
        return listing.rows(self._state)

    def explain(self, what: str, namespace: str) -> Explained:
        """Everything that applies to something."""
        return explain(self._state, what, namespace)

    def trace(self, question: TraceQuestion) -> Traced:
        """What would become of a request."""
        return traced(self._state, question)

    async def changes(self) -> AsyncIterator[None]:
        """Goes on after each change of the files."""
        async for batch in self._folder.source.changes():
            self._found = self._folder.apply(batch)
            yield

    @property
    def _state(self) -> State:
        found = self._found
        return State(found.pipeline, found.problems, found.places)


def answers(files: Sequence[Path], admin: str, settings: Settings) -> Answers:
    """Who answers: the files, if any are named, else the instance at the admin address."""
    if files:
        return OfFiles(files, settings)
    from serai.web.client import AdminClient  # noqa: PLC0415  not where files are read

    return AdminClient(admin)
