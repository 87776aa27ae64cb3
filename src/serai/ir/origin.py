"""Where a piece of configuration came from."""

from __future__ import annotations

import msgspec

from serai.api.meta import Key


class Value(msgspec.Struct, frozen=True, gc=False):
    """Base of the values of the intermediate representation."""


class Origin(Value, frozen=True):
    """The object, and the field in it, that asked for a piece of configuration."""

    key: Key
    path: str = ""
    """The field, such as ``spec.rules[0]``; empty for the whole object."""

    def __str__(self) -> str:
        return f"{self.key} {self.path}".rstrip()
