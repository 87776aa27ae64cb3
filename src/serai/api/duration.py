"""Durations as the Gateway API writes them (GEP-2257): ``1h``, ``1m30s``, ``500ms``."""

from __future__ import annotations

from itertools import pairwise

LONGEST = 2**32 - 1
"""Seconds: Envoy has no longer timeout, and the Gateway API knows no longer duration."""
_DIGITS = frozenset("0123456789")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(text: str) -> float | None:
    """A duration in seconds; None if the text is not one."""
    total, number, unit = 0.0, "", ""
    for here, following in pairwise(f"{text}0"):
        if here in _DIGITS:
            number += here
            continue
        unit += here
        if following in _DIGITS:
            if not number or unit not in _UNITS:
                return None
            total, number, unit = total + int(number) * _UNITS[unit], "", ""
    return None if number or unit or not text or total > LONGEST else total
