"""Which line of a document a field is on."""

from __future__ import annotations

import re
from collections.abc import Iterable

from yaml import YAMLError, compose
from yaml.cyaml import CSafeLoader
from yaml.nodes import MappingNode, Node, SequenceNode

_STEP = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


def lines_of(text: str, paths: Iterable[str]) -> tuple[int, ...]:
    """The lines, from 1, of fields such as ``spec.rules[0].name`` in a document's text.

    A field that is not there has the line of the nearest one around it that is; all have line 1
    where the document can't be parsed.
    """
    try:
        root = compose(text, CSafeLoader)
    except (YAMLError, UnicodeEncodeError, RecursionError):
        root = None
    return tuple(_line(root, path) for path in paths)


def _line(node: Node | None, path: str) -> int:
    if node is None:
        return 1
    line: int = node.start_mark.line + 1
    for index, name in _STEP.findall(path):
        found = _step(node, name or index)
        if found is None:
            break
        line, node = found
    return line


def _step(node: Node, name: str) -> tuple[int, Node] | None:
    """The line of an entry, which is its key's or its own, and its value."""
    if isinstance(node, SequenceNode) and name.isdecimal() and int(name) < len(node.value):
        item = node.value[int(name)]
        return item.start_mark.line + 1, item
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if getattr(key, "value", None) == name:
                return key.start_mark.line + 1, value
    return None
