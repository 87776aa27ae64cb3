"""The problems that checks of values report, in one wording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from serai.api.problem import Problem, shown
from serai.api.syntax import is_port

HOSTNAME_RULE = "Use a host name in small letters, with no port; '*.' may stand before it."

VALUE, TWICE, TOGETHER, UNWISE = "SER0102", "SER0103", "SER0104", "SER0105"


def wrong(path: str, value: object, what: str, remedy: str) -> Problem:
    """A value that is not what its field takes; *what* completes "is not"."""
    return Problem(VALUE, "error", f'{path} "{shown(value)}" is not {what}', remedy, path=path)


def clash(path: str, message: str, remedy: str) -> Problem:
    """Fields that do not go together."""
    return Problem(TOGETHER, "error", message, remedy, path=path)


def unwise(path: str, message: str, remedy: str) -> Problem:
    """What is allowed and hardly meant."""
    return Problem(UNWISE, "warning", message, remedy, path=path)


def port_faults(path: str, number: int | None) -> Iterator[Problem]:
    """A port number that does not exist."""
    if number is not None and not is_port(number):
        yield wrong(path, number, "a port", "Use a number from 1 to 65535.")


def value_faults(
    path: str, values: Iterable[str], is_valid: Callable[[str], bool], what: str, remedy: str
) -> Iterator[Problem]:
    """Entries of a list that are not what it takes."""
    for index, value in enumerate(values):
        if not is_valid(value):
            yield wrong(f"{path}[{index}]", value, what, remedy)


def twice(path: str, values: Iterable[object], field: str, what: str) -> Iterator[Problem]:
    """Entries of a list that repeat an earlier entry's *field*; empty values may repeat."""
    first: dict[object, int] = {}
    for index, value in enumerate(values):
        if value in ("", None):
            continue
        if value in first:
            here = f"{path}[{index}]{field}"
            message = f"{here} repeats the {what} {value} of {path}[{first[value]}]"
            remedy = f"Give each a {what} of its own."
            yield Problem(TWICE, "error", message, remedy, path=here)
        first.setdefault(value, index)
