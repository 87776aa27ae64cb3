"""JSON text into plain values, with the lines where the entries of a list of objects begin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from serai.sources.parsed import DEEPEST, Parsed
from serai.sources.scalars import as_json_number

_BLANK = re.compile(r"\s*")
_NEXT = re.compile(r"\s*,?\s*")
_ITEMS = re.compile(r'"items"\s*:\s*\[\s*')
_CONCATENATED = re.compile(r"\}\s*\{")


def parse_json(text: str) -> Parsed | None:
    """The value of a JSON text; None where it is not sound JSON, for the YAML parser to say why.

    YAML is a superset of JSON, and its parser knows the lines of faults.
    """
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    if _deeper_than(value, DEEPEST):
        return None
    line = text.count("\n", 0, _end_of_blank(text, 0)) + 1
    return Parsed(value, line, item_lines=tuple(_item_lines(text, value)))


def split_json(text: str) -> Iterator[tuple[int, str]]:
    """Concatenated JSON values, each with the offset where it begins; the rest as it is."""
    start = _end_of_blank(text, 0)
    while _CONCATENATED.search(text, start):
        try:
            _, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            break
        yield start, text[start:end]
        start = _end_of_blank(text, end)
    if start < len(text):
        yield start, text[start:]


def _end_of_blank(text: str, start: int) -> int:
    match = _BLANK.match(text, start)
    return match.end() if match else start


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key appears twice")
    return values


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_float=lambda text: as_json_number(float(text)),
    parse_constant=_no_constant,
)


def _deeper_than(value: Any, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    below = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper_than(inner, levels - 1) for inner in below)


def _item_lines(text: str, value: Any) -> Iterator[int]:
    """The lines of the entries of the field ``items``, found by decoding them once more."""
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, list):
        return
    for match in _ITEMS.finditer(text):
        starts = _starts(text, match.end(), items)
        if starts is not None:
            line = 1 + text.count("\n", 0, match.end())
            for before, start in pairwise([match.end(), *starts]):
                line += text.count("\n", before, start)
                yield line
            return


def _starts(text: str, start: int, items: list[Any]) -> list[int] | None:
    """Where each item begins, if *start* is where these items are."""
    starts = []
    for item in items:
        try:
            found, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            return None
        if found != item:
            return None
        starts.append(start)
        separator = _NEXT.match(text, end)
        start = separator.end() if separator else end
    return starts
