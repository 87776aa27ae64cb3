"""Plain YAML scalars as kubectl reads them.

kubectl uses sigs.k8s.io/yaml, a descendant of go-yaml 2: YAML 1.1 words (``yes``, ``on``, ``y``
are booleans), octal ``010``, underscores in numbers; yet no base 60, and dates stay strings.
Numbers then pass through JSON, where ``80.0`` and ``80`` are the same.
"""

from __future__ import annotations

import functools
import re
from typing import TypeAlias

Plain: TypeAlias = str | int | float | bool | None

_WORDS: dict[str, Plain] = {
    **dict.fromkeys(
        ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True
    ),
    **dict.fromkeys(
        ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False
    ),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}

_INTEGER = re.compile(r"([-+]?)(?:(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_EXACT = 1e15
"""Whole numbers below this are exact as floats."""
_LONGEST_INTEGER = 40
"""Digits; what is longer fits no field and is read as a float."""


@functools.lru_cache(maxsize=65536)
def resolve(text: str) -> Plain:
    """The value of a scalar without quotes and without a tag."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    digits = text.replace("_", "") if text[0] != "." else text
    if len(digits) <= _LONGEST_INTEGER and (match := _INTEGER.fullmatch(digits)):
        sign, based, decimal = match.groups()
        value = int(decimal) if decimal else _in_base(based)
        return -value if sign == "-" else value
    if _FLOAT.fullmatch(digits):
        return as_json_number(float(digits))
    return text


def as_json_number(value: float) -> int | float:
    """A float, as an integer where JSON writes both alike."""
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def key_text(value: Plain) -> str | None:
    """A map's key as JSON has it; None for null, which can't be a key."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _in_base(digits: str) -> int:
    base = {"x": 16, "b": 2, "o": 8}.get(digits[1].lower())
    return int(digits[2:], base) if base else int(digits, 8)
