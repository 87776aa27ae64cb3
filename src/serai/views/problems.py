"""Problems as rows, in a stable order, and failures of our own among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from serai.api.meta import Key
from serai.api.problem import Place, Problem
from serai.incremental import Graph
from serai.incremental.graph import Failure
from serai.views.pipeline import Pipeline
from serai.views.row import Row, object_name

BUG = "SER9001"
_KIND_AND_NAME = 2
_LAST = Place("\U0010ffff")


class ProblemRow(Row, frozen=True):
    """Something a person must know."""

    severity: str
    code: str
    object: str
    """``Kind/namespace/name``; empty where the problem is about no object."""
    field: str
    message: str
    remedy: str
    file: str
    line: int
    """From 1; 0 means the file as a whole, or no file."""

    @property
    def namespace(self) -> str:
        """Of the object; empty where it is in none, or there is no object."""
        parts = self.object.split("/")
        return parts[1] if len(parts) > _KIND_AND_NAME else ""

    @property
    def where(self) -> str:
        """``file:line``, or the object where it is in no file."""
        if not self.file:
            return self.object
        return f"{self.file}:{self.line}" if self.line else self.file


def problem_rows(problems: Iterable[Problem]) -> list[ProblemRow]:
    """One row for each problem, in the order given."""
    return [_row(problem) for problem in problems]


def found_by(pipeline: Pipeline) -> list[Problem]:
    """What the pipeline has to say, its own failures last; without places."""
    return [*(row for _, row in pipeline.problems.items()), *failures(pipeline.graph)]


def failures(graph: Graph) -> Iterator[Problem]:
    """The rows that could not be computed, which is never the fault of the object."""
    return (_bug(failure) for failure in graph.failures.values())


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """By place, those in no file last, and failures of our own after all others."""
    return tuple(sorted(problems, key=_order))


def has_errors(problems: Iterable[Problem]) -> bool:
    """Whether anything was rejected."""
    return any(problem.severity == "error" for problem in problems)


def summary(problems: Iterable[Problem]) -> str:
    """``2 errors, 1 warning``."""
    listed = list(problems)
    errors = sum(problem.severity == "error" for problem in listed)
    return f"{counted(errors, 'error')}, {counted(len(listed) - errors, 'warning')}"


def counted(number: int, noun: str) -> str:
    """``1 object``, ``2 objects``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _row(problem: Problem) -> ProblemRow:
    place = problem.place or Place("")
    return ProblemRow(
        severity=problem.severity,
        code=problem.code,
        object=object_name(problem.key) if problem.key else "",
        field=problem.path,
        message=problem.message,
        remedy=problem.remedy,
        file=place.file,
        line=place.line,
    )


def _order(problem: Problem) -> tuple[bool, Place, Key, str, str, str]:
    return (
        problem.code == BUG,
        problem.place or _LAST,
        problem.key or Key("", "", ""),
        problem.path,
        problem.code,
        problem.message,
    )


def _bug(failure: Failure) -> Problem:
    error = f"{type(failure.error).__name__}: {failure.error}".rstrip(": ")
    return Problem(
        code=BUG,
        severity="error",
        message=f"a bug of Serai: {failure.node} could not be computed ({error}); what was"
        " computed for it before stays in force",
        remedy="Report it, with this message and the object.",
        key=_object(failure.key),
        path="",
    )


def _object(key: object) -> Key | None:
    """The object that a collection's key is about: in pairs of proxy and object, the latter."""
    if isinstance(key, Key):
        return key
    found = [_object(part) for part in key] if isinstance(key, tuple) else []
    return next((each for each in reversed(found) if each), None)
