"""A document's text into typed objects and problems, whose lines count within the document."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from serai.api.decode import Decoded, decode, stand_in
from serai.api.meta import Key, Object
from serai.api.problem import Problem
from serai.api.unread import Unread
from serai.sources.documents import Content, parse
from serai.sources.parsed import Fault

MOST_LISTED = 100
"""Problems listed for one document, and for one file; further ones are only counted."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What one document gives."""

    objects: tuple[tuple[int, Object], ...] = ()
    """Each with the line where it begins."""
    broken: tuple[tuple[int, Key], ...] = ()
    """Objects that are there and can't be used."""
    stand_ins: tuple[tuple[int, Unread], ...] = ()
    """For those of them that must not let more through."""
    unidentified: bool = False
    """Whether something is there that can't be used and doesn't say which object it is."""
    problems: tuple[tuple[int, Problem], ...] = ()
    more: int = 0
    """Problems beyond those listed."""


def read_document(text: str) -> Reading:
    """Everything that one document says; pure, so that it needs doing once for each text."""
    content = parse(text)
    if content.faults:
        return _faulty(text, content)
    decoded = [(item, decode(item.value)) for item in content.items]
    unused = [(item, one) for item, one in decoded if one.object is None and _has_error(one)]
    problems = [(item, problem) for item, one in decoded for problem in one.problems]
    listed = problems[:MOST_LISTED]
    paths = [_joined(item.path, problem.path) for item, problem in listed]
    lines = _lines_of(text, paths) if listed else ()
    return Reading(
        tuple((item.line, one.object) for item, one in decoded if one.object is not None),
        tuple((item.line, one.key) for item, one in unused if one.key is not None),
        tuple((item.line, one.stands_in) for item, one in unused if one.stands_in is not None),
        any(one.key is None for _, one in unused),
        tuple(
            (max(line, item.line), problem)
            for line, (item, problem) in zip(lines, listed, strict=True)
        ),
        len(problems) - len(listed),
    )


def _lines_of(text: str, paths: list[str]) -> tuple[int, ...]:
    from serai.sources.lines import lines_of  # noqa: PLC0415  as long as there are no problems

    return lines_of(text, paths)


def _faulty(text: str, content: Content) -> Reading:
    """A document with faults is used in no part, but may still tell which objects it holds."""
    keys = [(item, decode(item.value).key) for item in content.items]
    broken = tuple((item.line, key) for item, key in keys if key is not None)
    only = broken[0][1] if len(broken) == 1 else None
    skeleton = _skeleton(text)
    told = [(item.line, key, item.value if _once(text) else skeleton) for item, key in keys]
    if not content.items and (guess := decode(skeleton).key):
        only = guess
        told = [(1, guess, skeleton)]
    found = [(line, stand_in(key, raw)) for line, key, raw in told]
    return Reading(
        broken=broken,
        stand_ins=tuple((line, each) for line, each in found if each is not None),
        unidentified=not content.items or len(broken) < len(keys),
        problems=tuple((fault.line, _as_problem(fault, only)) for fault in content.faults),
    )


def _as_problem(fault: Fault, key: Key | None) -> Problem:
    return Problem(fault.code, "error", fault.message, fault.remedy, key=key)


def _has_error(decoded: Decoded) -> bool:
    return any(problem.severity == "error" for problem in decoded.problems)


def _joined(path: str, below: str) -> str:
    return f"{path}.{below}" if path and below else path or below


_TYPE = re.compile(r"""^(apiVersion|kind):[ ]*["']?([\w./-]+)""", re.MULTILINE)
_METADATA = re.compile(r"^metadata:[^\n]*\n((?:[ ]+[^\n]*\n?|\n)*)", re.MULTILINE)
_NAME = re.compile(r"""^([ ]+)(name|namespace):[ ]*["']?([\w.-]+)""", re.MULTILINE)


def _skeleton(text: str) -> dict[str, Any]:
    """Type and name of an object by the looks of a text that can't be parsed."""
    found: dict[str, Any] = dict(_TYPE.findall(text))
    block = _METADATA.search(text)
    names = _NAME.findall(block.group(1)) if block else []
    indent = min((spaces for spaces, _, _ in names), default="")
    found["metadata"] = {name: value for spaces, name, value in names if spaces == indent}
    found["spec"] = None
    return found


_TARGETS = re.compile(r"""\b(metadata|spec|targetRefs?|targetSelectors)["']?[ ]*:""")


def _once(text: str) -> bool:
    """Whether what an object is for is said once, so that a key that is there twice is not that."""
    found = _TARGETS.findall(text)
    return len(found) == len(set(found))
