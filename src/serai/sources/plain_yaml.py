"""Documents in which YAML means one thing only, by a parser that is four times as fast.

Most manifests are of this sort: block maps and lists, and scalars that are one plain word.  A text
in which two readers of YAML could see different things (``yes``, octal numbers, anchors, tags, flow
and block scalars) is left to `parse_yaml`, and so is every fault, for that parser to say where it
is.  What this one returns is what that one returns.
"""

from __future__ import annotations

import re

import yaml_rs

from serai.sources.parsed import Parsed

_PLAIN = re.compile(
    r"""-|\{\}|\[\]|0|[1-9]\d{0,14}"""
    r"""|[A-Za-z0-9./][\w./-]*:?|[a-z\d]+:[\w./:-]*\w"""
    r"""|"[\w./:*-]*"|'[\w./:*-]*'"""
)
_AMBIGUOUS = re.compile(
    r"(?:[yYnN]|yes|Yes|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF"
    r"|True|TRUE|False|FALSE|Null|NULL"
    r"|0[\d_xXoObB].*|\d*_.*|\d{16,}"
    r"|\d*\.\d*(?:[eE][-+]?\d+)?|\d+[eE]-?\d+|\d+(?::\d+)+(?:\.\d*)?|\.\w+"
    r"""|["']?\d{4}-\d.*"""
    r"):?"
    # Keys that are no text, and the entries of a List, whose lines are wanted.
    r"|(?:true|false|null|\d+|items):"
)
_MOST_KNOWN = 1 << 12
_TOO_FAR_RIGHT = "\n" + 29 * " "
"""With at most a map in a list for each two columns, what is left of it is not too deep."""
_BLANK_LINES = re.compile(r"(?:[ ]*\n)*")

_known: set[str] = set()
"""Words that were found to be plain; most words of a manifest are in many others too."""


def parse_plain_yaml(text: str) -> Parsed | None:
    """The value of a text that can mean one thing only; None where it may mean another."""
    if not _is_plain(text):
        return None
    try:
        value = yaml_rs.loads(text)
    except yaml_rs.YAMLDecodeError:
        return None
    if not isinstance(value, dict):
        return None
    blank = _BLANK_LINES.match(text)
    return Parsed(value, 1 + (blank.group().count("\n") if blank else 0))


def _is_plain(text: str) -> bool:
    """Whether a text is of plain words, in lines that hold at most one key, not far to the right.

    Without tabs and other control characters, which readers treat differently.
    """
    if not text.isascii() or "- -" in text or _TOO_FAR_RIGHT in text:
        return False
    new = {*text.split()} - _known
    if not all(_PLAIN.fullmatch(word) and not _AMBIGUOUS.fullmatch(word) for word in new):
        return False
    if len(_known) > _MOST_KNOWN:
        _known.clear()
    _known.update(new)
    return text.replace("\n", "").isprintable()
