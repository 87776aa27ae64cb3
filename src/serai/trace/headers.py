"""Headers, and what mutations do to them in Envoy's order: removed, overwritten, added."""

from __future__ import annotations

from collections.abc import Iterable

from serai.ir.route import HeaderMutations
from serai.trace.outcome import Headers


def lowered(headers: Iterable[tuple[str, str]]) -> Headers:
    """Headers with their names as Envoy has them, and values without outer blanks."""
    return tuple((name.lower(), value.strip(" \t")) for name, value in headers)


def mutated(headers: Headers, mutations: HeaderMutations) -> Headers:
    """Headers after mutations."""
    gone = {name.lower() for name in mutations.remove}
    kept = [(name, value) for name, value in headers if name not in gone]
    for name, value in mutations.set:
        kept = [pair for pair in kept if pair[0] != name.lower()]
        kept.append((name.lower(), value))
    return (*kept, *lowered(mutations.add))
