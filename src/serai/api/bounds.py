"""What a field's value may be, written at the field: durations, and numbers within limits."""

from __future__ import annotations

import functools
import re
import typing
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from serai.api.faults import wrong
from serai.api.problem import Problem

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns)")

UINT32 = 2**32 - 1
PERCENT = 100

Duration = Annotated[str, Meta(extra={"duration": True})]
"""Such as ``1m30s``; read by `seconds`."""
Positive = Annotated[str, Meta(extra={"duration": True, "least": 0.001})]
"""A duration of a millisecond or more."""
Whole = Annotated[str, Meta(extra={"duration": True, "least": 1})]
"""A duration of a second or more."""
Count = Annotated[int, Meta(extra={"least": 0, "most": UINT32})]
Some = Annotated[int, Meta(extra={"least": 1, "most": UINT32})]
Streams = Annotated[int, Meta(extra={"least": 1, "most": 2**31 - 1})]
"""At once, on a connection of HTTP/2."""
Percent = Annotated[int, Meta(extra={"least": 0, "most": PERCENT})]
Share = Annotated[float, Meta(extra={"least": 0, "most": PERCENT})]
"""A percentage that may have a fraction."""


def seconds(text: str | None) -> float | None:
    """A duration as Go writes it, in seconds; None if there is none, or if it is not one."""
    if not text:
        return None
    total, at = 0.0, 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return None
        total, at = total + float(part[1]) * _UNITS[part[2]], part.end()
    return total


def keepalive_seconds(text: str | None) -> int | None:
    """When a silent connection is asked whether it is there; what Linux can wait at the longest."""
    found = seconds(text)
    return None if found is None else min(int(found), 32_767)


def keepalive_probes(count: int | None) -> int | None:
    """How often it is asked; none is left to Linux, which asks so often at the most."""
    return min(count, 127) if count else None


def out_of_bounds(value: msgspec.Struct, path: str) -> Iterator[Problem]:
    """What of a Struct, and all in it, is not what the marks at its fields say."""
    for name, encoded, limits in _marked(type(value)):
        held = getattr(value, name)
        here = f"{path}.{encoded}" if path else encoded
        if limits is not None and held is not None:
            if isinstance(held, tuple):
                for index, each in enumerate(held):
                    yield from _checked(f"{here}[{index}]", each, limits)
            else:
                yield from _checked(here, held, limits)
        elif isinstance(held, msgspec.Struct):
            yield from out_of_bounds(held, here)
        elif isinstance(held, tuple):
            for index, each in enumerate(held):
                if isinstance(each, msgspec.Struct):
                    yield from out_of_bounds(each, f"{here}[{index}]")


@functools.cache
def _marked(struct: type[msgspec.Struct]) -> tuple[tuple[str, str, dict[str, Any] | None], ...]:
    fields = msgspec.structs.fields(struct)
    return tuple((each.name, each.encode_name, _limits(each.type)) for each in fields)


def _limits(annotation: Any) -> dict[str, Any] | None:
    for each in (annotation, *typing.get_args(annotation)):
        for mark in getattr(each, "__metadata__", ()):
            if isinstance(mark, Meta) and mark.extra:
                return mark.extra
    return None


def _checked(path: str, value: Any, limits: dict[str, Any]) -> Iterator[Problem]:
    least, most = limits.get("least"), limits.get("most")
    if "duration" in limits:
        found = seconds(value)
        if found is None:
            yield wrong(path, value, "a duration", "Write one such as 1m30s.")
        elif least is not None and found < least:
            yield wrong(path, value, f"{least}s or more", "Raise it, or leave it out.")
        elif found > UINT32:
            yield wrong(path, value, f"{UINT32}s or less", "Lower it, or leave it out.")
    elif not least <= value <= most:
        yield wrong(path, value, f"a number from {least} to {most}", "Take one that is.")
