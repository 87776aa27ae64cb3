"""One document of YAML into plain values, within limits.

Values are what kubectl would read (serai.sources.scalars).  Like an API server's strict
validation, and unlike kubectl by itself, a key that appears twice is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

from yaml import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

from serai.sources.parsed import DEEPEST, SYNTAX, TOO_MUCH, Fault, Parsed
from serai.sources.scalars import key_text, resolve

try:
    from yaml._yaml import CParser
except ImportError as missing:  # pragma: no cover  # PyYAML's wheels have it
    raise ImportError(
        "PyYAML was built without libyaml, and its Python parser is too slow for thousands of"
        " objects; install a wheel of PyYAML, or libyaml's headers and build it again"
    ) from missing

MOST_ALIASED = 10_000
"""Values that the aliases of one document may repeat, so that a small file stays small."""

DUPLICATE_KEY = "SER0004"

_STANDARD = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset({"!", f"{_STANDARD}str"})
_PLAIN_TAGS = frozenset(_STANDARD + name for name in ("int", "float", "bool", "null", "timestamp"))
_CONTAINER_TAGS = frozenset({None, "!", f"{_STANDARD}map", f"{_STANDARD}seq"})
_TAB_INDENT = re.compile(r" *\t")


def parse_yaml(text: str) -> Parsed:
    """The value of the one YAML document that a text is."""
    builder = None
    try:
        builder = _Builder(text)
        value = builder.document()
    except _UnreadableError as unreadable:
        return Parsed(faults=(unreadable.fault,))
    except ReaderError as error:
        return Parsed(faults=(_unreadable_text(text, error),))
    except YAMLError as error:
        return Parsed(faults=(_syntax(text, error),))
    return Parsed(value, builder.line, tuple(builder.faults), tuple(builder.item_lines))


class _UnreadableError(Exception):
    """Carries a fault out of the recursion."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class _Builder:
    """Builds values from libyaml's events, in half the time of PyYAML's own constructor."""

    def __init__(self, text: str) -> None:
        self.next: Callable[[], Any] = CParser(text).get_event
        self.anchors: dict[str, tuple[Any, int, int]] = {}
        """By anchor: the value, how many values it holds, how many levels it has."""
        self.built = 0
        self.aliased = 0
        self.deepest = 0
        self.line = 1
        self.faults: list[Fault] = []
        self.item_lines: list[int] = []

    def document(self) -> Any:
        self.next()
        if type(self.next()) is not DocumentStartEvent:
            return None
        first = self.next()
        self.line = first.start_mark.line + 1
        value = self.value(first, 1)
        self.next()
        if type(rest := self.next()) is not StreamEndEvent:
            self.refuse("more follows after the end of the document", "Put --- between.", rest)
        return value

    def value(self, event: Any, depth: int) -> Any:
        if type(event) is AliasEvent:
            return self.alias(event, depth)
        before = self.built
        self.built += 1
        if type(event) is ScalarEvent:
            value, height = self.scalar(event), 0
        else:
            value, height = self.container(event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, self.built - before, height)
        return value

    def container(self, event: Any, depth: int) -> tuple[Any, int]:
        self.check_depth(depth, event)
        if event.tag not in _CONTAINER_TAGS:
            self.refuse(f"the tag {event.tag} is not supported", "Remove it.", event)
        outer, self.deepest = self.deepest, depth
        mapping = type(event) is MappingStartEvent
        value = self.mapping(depth) if mapping else self.sequence(depth)
        height = self.deepest - depth + 1
        self.deepest = max(outer, self.deepest)
        return value, height

    def sequence(self, depth: int, lines: list[int] | None = None) -> list[Any]:
        values = []
        while type(event := self.next()) is not SequenceEndEvent:
            if lines is not None:
                lines.append(event.start_mark.line + 1)
            values.append(self.value(event, depth + 1))
        return values

    def mapping(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        while type(event := self.next()) is not MappingEndEvent:
            key = self.key(event)
            below = self.next()
            if depth == 1 and key == "items" and type(below) is SequenceStartEvent:
                value: Any = self.sequence(2, self.item_lines)
            else:
                value = self.value(below, depth + 1)
            if key == "<<" and event.implicit[0]:
                merged += self.merge_sources(value, below)
            elif key in values:
                self.faults.append(_duplicate(key, event))
            else:
                values[key] = value
        for source in merged:
            values = {**source, **values}
        return values

    def key(self, event: Any) -> str:
        text = key_text(self.scalar(event)) if type(event) is ScalarEvent else None
        if text is None:
            self.refuse("a key is not a plain word", "Put the key in quotes.", event)
        return text

    def scalar(self, event: Any) -> Any:
        if event.tag is None:
            return resolve(event.value) if event.implicit[0] else event.value
        if event.tag not in _TEXT_TAGS | _PLAIN_TAGS:
            self.refuse(f"the tag {event.tag} is not supported", "Remove it.", event)
        return event.value if event.tag in _TEXT_TAGS else resolve(event.value)

    def alias(self, event: Any, depth: int) -> Any:
        if event.anchor not in self.anchors:
            self.refuse(f"*{event.anchor} refers to nothing before it", "Define it.", event)
        value, size, height = self.anchors[event.anchor]
        self.built += size
        self.aliased += size
        if self.aliased > MOST_ALIASED:
            message = f"aliases repeat more than {MOST_ALIASED} values"
            self.refuse(message, "Write the values out.", event, TOO_MUCH)
        self.deepest = max(self.deepest, depth + height - 1)
        self.check_depth(self.deepest, event)
        return value

    def merge_sources(self, value: Any, event: Any) -> list[dict[str, Any]]:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            self.refuse("<< must name a map or a list of maps", "Correct or remove it.", event)
        return sources

    def check_depth(self, depth: int, event: Any) -> None:
        if depth > DEEPEST:
            message = f"nested more than {DEEPEST} levels deep"
            self.refuse(message, "Make it flatter.", event, TOO_MUCH)

    def refuse(self, message: str, remedy: str, event: Any, code: str = SYNTAX) -> NoReturn:
        raise _UnreadableError(Fault(code, message, remedy, event.start_mark.line + 1))


def _duplicate(key: str, event: Any) -> Fault:
    message = f"the key {key[:120]} appears twice in one map"
    return Fault(DUPLICATE_KEY, message, "Remove one of the two.", event.start_mark.line + 1)


def _syntax(text: str, error: YAMLError) -> Fault:
    if not isinstance(error, MarkedYAMLError) or error.problem is None:
        return Fault(SYNTAX, f"not valid YAML: {error}", "Correct the syntax.")
    mark = error.problem_mark or error.context_mark
    at_end = mark is not None and mark.index >= len(text.rstrip())
    if error.context_mark and (at_end or error.context == "while scanning a simple key"):
        mark = error.context_mark
    line = min(mark.line if mark else 0, text.rstrip().count("\n"))
    around = text.split("\n", line + 1)[: line + 1]
    tab = len(around) > line and _TAB_INDENT.match(around[line])
    remedy = "Indent with spaces; YAML allows no tab there." if tab else "Correct the syntax."
    context = f" {error.context}" if error.context else ""
    return Fault(SYNTAX, f"not valid YAML: {error.problem}{context}", remedy, line + 1)


def _unreadable_text(text: str, error: ReaderError) -> Fault:
    position = error.position if isinstance(error.position, int) else 0
    remedy = "Remove the character; YAML is text without control characters."
    message = f"not valid YAML: {error.reason}"
    return Fault(SYNTAX, message, remedy, text.count("\n", 0, position) + 1)
