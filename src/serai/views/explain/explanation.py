"""An explanation: a headline, labelled lines below it, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from serai.views.problems import ProblemRow
from serai.views.row import Row


class Line(Row, frozen=True):
    """Something about an object; `more` goes on where `text` ends."""

    label: str
    text: str
    more: tuple[str, ...] = ()


class Explanation(Row, frozen=True):
    """What is known about one object."""

    kind: str
    namespace: str
    name: str
    headline: tuple[str, ...]
    """The gist: its names, ports, and so on."""
    place: str
    """``file:line`` where it is written; empty where it is in no file."""
    lines: tuple[Line, ...]
    problems: tuple[ProblemRow, ...] = ()


class Explained(Row, frozen=True):
    """The answer to a question."""

    what: str
    found: tuple[Explanation, ...]
    """What it may mean, the likeliest first."""
    message: str = ""
    """What was not found, and what is near."""


def text(explained: Explained) -> str:
    """The answer for a person."""
    if not explained.found:
        return explained.message
    return "\n\n".join("\n".join(_lines(each)) for each in explained.found)


def _lines(explanation: Explanation) -> Iterator[str]:
    scope = f"{explanation.namespace}/" if explanation.namespace else ""
    name = f"{explanation.kind} {scope}{explanation.name}"
    place = (explanation.place,) if explanation.place else ()
    yield "   ".join((name, *explanation.headline, *place))
    said = [*explanation.lines, *(_problem(each) for each in explanation.problems)]
    width = max((len(line.label) for line in said), default=0)
    for index, line in enumerate(said):
        repeated = index > 0 and said[index - 1].label == line.label
        label = "" if repeated else line.label
        yield f"  {label.ljust(width)}  {line.text}".rstrip()
        for more in line.more:
            yield f"  {' ' * width}  {more}"


def _problem(row: ProblemRow) -> Line:
    remedy = (row.remedy,) if row.remedy else ()
    return Line(row.severity, f"{row.code} {row.message}", remedy)
