"""Problems as rows, by the object they are about."""

from __future__ import annotations

from typing import NamedTuple

from serai.api.meta import Key
from serai.api.problem import Problem


class ProblemKey(NamedTuple):
    """A problem of an object."""

    key: Key
    code: str
    path: str = ""


def keyed(problem: Problem) -> tuple[ProblemKey, Problem]:
    """A problem and its key; analysers only report on objects."""
    if problem.key is None:
        msg = f"{problem.code} is about no object"
        raise ValueError(msg)
    return ProblemKey(problem.key, problem.code, problem.path), problem
