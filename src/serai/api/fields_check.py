"""Holds a manifest's plain values against the fields of its kind."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

from serai.api.fields import Anything, Entries, Fields, Items, Node, Scalar
from serai.api.problem import Problem, shown

MOST_PROBLEMS = 20
"""Listed for one object; further ones are only counted."""

MOST_NAMES = 12
"""Fields named to somebody who needs one of them."""

LONGEST_NAME = 120
"""Characters of a field's name that a message repeats."""

TYPE_NAMES = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a map",
    type(None): "nothing",
}


class Findings:
    """What one walk over an object finds."""

    def __init__(
        self, kind: str, *, secret: bool = False, spare: Callable[[str], bool] = lambda _: False
    ) -> None:
        """*kind* is named in messages; the values of a *secret* are not.

        An unknown field that is *spare* can be done without.
        """
        self.kind = kind
        self.secret = secret
        self.problems: list[Problem] = []
        self.more = 0
        """Those beyond."""
        self.more_errors = False
        """Whether any of those is an error."""
        self._spare = spare
        self.nulls = False
        """Whether a null stands where Kubernetes reads it as absent."""

    def check(self, value: object, node: Node, path: str) -> None:
        """Adds the problems of a value and of all below it."""
        kind = type(node)
        if kind is Scalar:
            self._scalar(value, node, path)  # type: ignore[arg-type]  # narrowed by identity
        elif kind is Fields:
            self._fields(value, node, path)  # type: ignore[arg-type]
        elif kind is Items:
            self._items(value, node, path)  # type: ignore[arg-type]
        elif kind is Entries:
            self._entries(value, node, path)  # type: ignore[arg-type]

    def _scalar(self, value: object, node: Scalar, path: str) -> None:
        if type(value) not in node.types:
            expected = _one_of(node.choices) if node.choices else node.expected
            self._wrong_type(value, expected, path)
        elif node.choices and value not in node.choices:
            nearest = nearest_name(str(value), tuple(map(str, node.choices)))
            self.add(
                "SER0102",
                path,
                f"{path} is {self._shown(value)}, which is not {_one_of(node.choices)}",
                f"Did you mean {nearest}?" if nearest else f"Use {_one_of(node.choices)}.",
            )

    def _items(self, value: object, node: Items, path: str) -> None:
        if type(value) is not list:
            self._wrong_type(value, "a list", path)
            return
        for index, item in enumerate(value):
            self.check(item, node.item, f"{path}[{index}]")

    def _entries(self, value: object, node: Entries, path: str) -> None:
        if type(value) is not dict:
            self._wrong_type(value, "a map", path)
            return
        scalar = node.value if type(node.value) is Scalar else None
        for key, below in value.items():
            if below is None:
                self.nulls = True
            elif scalar is None or type(below) not in scalar.types or scalar.choices:
                self.check(below, node.value, entry_path(path, key))

    def _fields(self, value: object, node: Fields, path: str) -> None:
        if type(value) is not dict:
            self._wrong_type(value, "a map", path)
            return
        meant = set()
        for name, below in value.items():
            field = node.fields.get(name)
            here = f"{path}.{name}" if path else str(name)
            if field is None:
                if not node.others:
                    meant.add(self._unknown(str(name)[:LONGEST_NAME], node, path))
            elif below is None:
                self.nulls = True
            else:
                if field.ignored and below not in field.usual and below not in ("", [], {}):
                    self._ignored(here)
                if type(field.node) is not Anything:
                    self.check(below, field.node, here)
        for name in node.required:
            if value.get(name) is None and name not in meant:
                here = f"{path}.{name}" if path else name
                self.add("SER0101", here, f"{here} is missing", f"Add {name}; it is required.")

    def _unknown(self, name: str, node: Fields, path: str) -> str:
        """Tells of a field that does not exist; the nearest name, or nothing."""
        nearest = nearest_name(name, tuple(node.fields)) if not self._full() else ""
        here = f"{path}.{name}" if path else name
        owner = f"{path} of a {self.kind}" if path else f"a {self.kind}"
        if self._spare(here):
            message = f"Serai knows of no {here} of a {self.kind}; all else of it is used"
            remedy = "Do without it, or take a Serai that knows it."
            self.add("SER0005", here, message, remedy, warning=True)
            return nearest
        self.add(
            "SER0005",
            here,
            f"{here} is not a field of {owner}",
            f"Did you mean {nearest}?" if nearest else _elsewhere(name, node, path),
        )
        return nearest

    def _ignored(self, path: str) -> None:
        self.add(
            "SER0007",
            path,
            f"{path} is not implemented yet; it is ignored",
            "Remove it, or do not rely on it.",
            warning=True,
        )

    def _wrong_type(self, value: object, expected: str, path: str) -> None:
        remedy = f"Write {expected}."
        if expected == "a string" and isinstance(value, (int, float)):
            remedy = "Put the value in quotes."
        elif expected == "a whole number" and isinstance(value, str) and value.isdecimal():
            remedy = "Remove the quotes."
        message = f"{path or 'the document'} must be {expected}, but is {self._described(value)}"
        self.add("SER0006", path, message, remedy)

    def _described(self, value: object) -> str:
        name = TYPE_NAMES.get(type(value), "something else")
        plain = isinstance(value, (str, int, float)) and not isinstance(value, bool)
        return f"{name}: {self._shown(value)}" if plain and not self.secret else name

    def _shown(self, value: object) -> str:
        if self.secret:
            return "a value kept secret"
        return f'"{shown(value)}"' if isinstance(value, str) else shown(value)

    def _full(self) -> bool:
        return len(self.problems) >= MOST_PROBLEMS

    def add(
        self, code: str, path: str, message: str, remedy: str, *, warning: bool = False
    ) -> None:
        """Adds a problem, or counts it where there are many."""
        if self._full():
            self.more += 1
            self.more_errors = self.more_errors or not warning
            return
        severity = "warning" if warning else "error"
        self.problems.append(Problem(code, severity, message, remedy, path=path))  # type: ignore[arg-type]  # a Literal


def entry_path(path: str, key: object) -> str:
    """The path of an entry of a map; keys that are not plain words stand in brackets."""
    word = str(key)[:LONGEST_NAME]
    return f"{path}.{word}" if word.replace("_", "").isalnum() else f"{path}[{word}]"


@functools.lru_cache(maxsize=4096)
def nearest_name(name: str, names: tuple[str, ...]) -> str:
    """The one of *names* that a misspelt name most likely stands for, or nothing."""
    by_lower = {known.lower(): known for known in names}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
    return by_lower[found[0]] if found else ""


def without_nulls(value: object, node: Node) -> object:
    """A value less the nulls that Kubernetes reads as absent, or in a map as the empty string."""
    if isinstance(value, Mapping) and isinstance(node, Fields):
        return {
            name: without_nulls(below, node.fields[name].node) if name in node.fields else below
            for name, below in value.items()
            if below is not None
        }
    if isinstance(value, Mapping) and isinstance(node, Entries):
        return {
            key: "" if below is None else without_nulls(below, node.value)
            for key, below in value.items()
            if below is not None or node.value != Anything()
        }
    if isinstance(value, Sequence) and not isinstance(value, str) and isinstance(node, Items):
        return [without_nulls(item, node.item) for item in value]
    return value


def _one_of(choices: tuple[str | int, ...]) -> str:
    *most, last = map(str, choices)
    return f"{', '.join(most)} or {last}" if most else last


def _elsewhere(name: str, node: Fields, path: str) -> str:
    """Where a field of that name does exist below, else which fields there are here."""
    for place in _places(name, node, path, depth=3):
        return f"{name} belongs in {place}."
    names = sorted(node.fields)
    more = ", ..." if len(names) > MOST_NAMES else "."
    return f"Remove it. Fields here: {', '.join(names[:MOST_NAMES])}{more}"


def _places(name: str, node: Node, path: str, depth: int) -> Iterator[str]:
    if isinstance(node, Items):
        yield from _places(name, node.item, f"{path}[]", depth)
    elif isinstance(node, Fields) and depth:
        for field, below in node.fields.items():
            here = f"{path}.{field}" if path else field
            inner = below.node.item if isinstance(below.node, Items) else below.node
            if isinstance(inner, Fields) and name in inner.fields:
                yield f"{here}[]" if isinstance(below.node, Items) else here
        for field, below in node.fields.items():
            yield from _places(name, below.node, f"{path}.{field}" if path else field, depth - 1)
