"""A file's text into its documents, each with the line where it begins, and those into values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from serai.sources.json import parse_json, split_json
from serai.sources.parsed import SYNTAX, TOO_MUCH, Fault, Parsed
from serai.sources.plain_yaml import parse_plain_yaml

LARGEST_DOCUMENT = 1 << 20
"""Bytes of one document that is no List; an API server takes about as much."""

_MARKER = re.compile(r"^\ufeff?(---|\.\.\.)(?=\s|$)", re.MULTILINE)
_MARKER_LINE = re.compile(r"\ufeff?(---|\.\.\.)[ \t\r]*(#[^\n]*)?(\n|\Z)")
_EMPTY = re.compile(r"([ \t\r]*([#%][^\n]*)?(\n|\Z))*")
_LIST = re.compile(r"""^kind:\s*["']?\w*List\b|"kind"\s*:\s*"\w*List\"""", re.MULTILINE)
_UNDECODED = re.compile("[\udc80-\udcff]")


class Document(msgspec.Struct, frozen=True):
    """One document's text."""

    text: str
    line: int
    """Where it begins in the file, counted from 1."""


class Item(msgspec.Struct, frozen=True):
    """One object's plain value."""

    value: Any
    line: int
    """Where it begins in the document's text, counted from 1."""
    path: str = ""
    """Its place in the document: empty, or ``items[3]`` in a List."""


class Content(msgspec.Struct, frozen=True):
    """What a document holds."""

    items: tuple[Item, ...] = ()
    faults: tuple[Fault, ...] = ()
    """With a fault the items are not to be used; they tell which objects it concerns."""


def decode_text(data: bytes) -> str:
    """A file's text; bytes that are not UTF-8 spoil only the document they are in."""
    return data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def split(text: str) -> tuple[Document, ...]:
    """The documents of a file, split at ``---`` as kubectl does; JSON values may just follow.

    Documents with nothing but comments and directives are left out.
    """
    documents: list[Document] = []
    start, line = 0, 1
    for end in (*(match.start() for match in _MARKER.finditer(text)), len(text)):
        documents += _parts(text[start:end], line)
        line += text.count("\n", start, end)
        start = end
    return tuple(documents)


def _parts(part: str, line: int) -> Iterator[Document]:
    """The documents from one marker to the next."""
    if marker := _MARKER_LINE.match(part):
        part = part[marker.end() :]
        line += marker.group().count("\n")
    if _EMPTY.fullmatch(part):
        return
    if not part.lstrip().startswith("{"):
        yield Document(part, line)
        return
    for offset, value in split_json(part):
        yield Document(value, line + part.count("\n", 0, offset))


def parse(text: str) -> Content:
    """A document's objects; those of a List one by one."""
    if fault := _unfit(text):
        return Content(faults=(fault,))
    parsed = parse_json(text) if text.lstrip().startswith("{") else None
    parsed = parsed or parse_plain_yaml(text) or _parse_any_yaml(text)
    if parsed.value is None:
        return Content(faults=parsed.faults)
    return Content(tuple(_items(parsed)), parsed.faults)


def _parse_any_yaml(text: str) -> Parsed:
    from serai.sources.yaml import parse_yaml  # noqa: PLC0415  most folders need it for nothing

    return parse_yaml(text)


def _unfit(text: str) -> Fault | None:
    if match := _UNDECODED.search(text):
        line = text.count("\n", 0, match.start()) + 1
        return Fault(SYNTAX, "not UTF-8 text", "Save the file as UTF-8.", line)
    if len(text) > LARGEST_DOCUMENT and not _LIST.search(text):
        message = f"a document of {len(text) / LARGEST_DOCUMENT:.1f} MiB; the most is 1 MiB"
        return Fault(TOO_MUCH, message, "Split it into several documents.")
    return None


def _items(parsed: Parsed) -> Iterator[Item]:
    value = parsed.value
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or not kind.endswith("List") or not _has_items(value):
        yield Item(value, parsed.line)
        return
    item_type = {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")}
    inherited = {} if kind == "List" else item_type
    for index, item in enumerate(value["items"] or ()):
        below = {**inherited, **item} if isinstance(item, dict) else item
        known = index < len(parsed.item_lines)
        line = parsed.item_lines[index] if known else parsed.line
        yield Item(below, line, f"items[{index}]")


def _has_items(value: dict[str, Any]) -> bool:
    return "items" in value and isinstance(value["items"], (list, type(None)))
