"""Whether a manifest's plain values are sound, as most are: found by msgspec, and not in Python.

What is not found sound may be so all the same: `Findings` then says what is wrong, if anything.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import msgspec

from serai.api.fields import Entries, Fields, Items, Node, Scalar, fields_of

_SCALARS: dict[frozenset[type], Any] = {
    frozenset({str}): str,
    frozenset({int}): int,
    frozenset({int, float}): float,
    frozenset({bool}): bool,
    frozenset({int, str}): int | str,
}
_NO_NULL: Any = bool | int | float | str | list[Any] | dict[str, Any]


def is_sound(value: object, struct: type[msgspec.Struct]) -> bool:
    """Whether `Findings` has nothing to say of an object of this kind, nor a null to leave out.

    False where that would have to be looked at more closely.
    """
    try:
        msgspec.convert(value, _mirror(struct))
    except (msgspec.ValidationError, RecursionError):
        return False
    return True


@functools.cache
def _mirror(struct: type[msgspec.Struct]) -> type[msgspec.Struct]:
    return _object(fields_of(struct), {})


def _type(node: Node, known: dict[int, type[msgspec.Struct]]) -> Any:
    match node:
        case Scalar(choices=choices) if choices:
            return Literal[choices]
        case Scalar(types=types):
            return _SCALARS[types]
        case Items(item=item):
            return list[_type(item, known)]  # type: ignore[misc]  # made here
        case Entries(value=value):
            return dict[str, _type(value, known)]  # type: ignore[misc]
        case Fields():
            return _object(node, known)
    return _NO_NULL


def _object(node: Fields, known: dict[int, type[msgspec.Struct]]) -> type[msgspec.Struct]:
    """A Struct with just these fields, without those that are told of when they are set."""
    found = known.get(id(node))
    if found is None:
        read = {name: each for name, each in node.fields.items() if not each.ignored}
        names = {f"f{number}": name for number, name in enumerate(read)}
        found = known[id(node)] = msgspec.defstruct(
            "Sound",
            [
                (own, _type(read[name].node, known), *(() if name in node.required else (None,)))
                for own, name in names.items()
            ],
            rename=names,
            kw_only=True,
            gc=False,
            forbid_unknown_fields=not node.others or len(read) < len(node.fields),
        )
    return found
