"""Host names and wildcards: what covers what.

Gateway API: Hostname.  ``*.example.com`` covers names of any depth below it, not itself.
"""

from __future__ import annotations

ANY = "*"


def covers(pattern: str, name: str) -> bool:
    """Whether every host that `name` stands for is one that `pattern` stands for."""
    if pattern in {ANY, name}:
        return True
    return pattern.startswith("*.") and name.endswith(pattern[1:]) and name != ANY


def is_partial(pattern: str) -> bool:
    """Whether a wildcard is only a part of its label, as in ``*-eu.example.com``.

    Envoy tells no such hosts apart by SNI, and refuses a listener that asks it to.
    """
    return "*" in pattern.removeprefix("*.") and pattern != ANY


def intersection(first: str, second: str) -> str | None:
    """The hosts that both stand for, as a pattern; None if there are none."""
    if covers(first, second):
        return second
    return first if covers(second, first) else None


def specificity(pattern: str) -> tuple[bool, int]:
    """Sorts patterns by how specific they are: exact names last, then longer ones later."""
    return (not pattern.startswith("*"), 0 if pattern == ANY else len(pattern))
