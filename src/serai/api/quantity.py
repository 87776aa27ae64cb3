"""Numbers as Kubernetes writes them, for bytes: ``64Ki``, ``1e6``."""

from __future__ import annotations

import re

LEAST_WINDOW, MOST_WINDOW = 65_535, 2**31 - 1
"""Bytes that HTTP/2 may have under way, as Envoy allows them."""
WINDOW = f"a size from {LEAST_WINDOW} to {MOST_WINDOW} bytes"
_QUANTITY = re.compile(r"\+?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[kMGTPE]|[eE][0-9]+|)")
_BINARY = {f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", start=1)}
_DECIMAL = {unit: 1000.0**power for power, unit in enumerate("kMGTPE", start=1)}


def quantity(written: int | str | None) -> int | None:
    """A Kubernetes quantity of bytes, such as 64Ki; None if it is none."""
    found = _QUANTITY.fullmatch(str(written)) if written is not None else None
    if found is None:
        return None
    number, unit = float(found[1]), found[2]
    try:
        if unit[:1] in {"e", "E"} and unit[1:]:
            return int(number * 10.0 ** int(unit[1:]))
        return int(number * {**_BINARY, **_DECIMAL, "": 1.0}[unit])
    except (OverflowError, ValueError):
        return None


def is_window(written: int | str | None) -> bool:
    """Whether nothing is written, or what HTTP/2 may have under way."""
    size = quantity(written)
    return written is None or (size is not None and LEAST_WINDOW <= size <= MOST_WINDOW)
