"""What each kind's fields are: the published schemas joined with the Structs that hold them.

known_fields.txt lists every field name and scalar type of the kinds we read.  Each line is a type:
its name, then its fields, separated by blanks.  A field is ``name``, ``name:type``,
``name:type=default`` or ``name=default``; without a type it is a string.  A type is ``string``,
``int``, ``number``, ``bool``, ``int-or-string``, ``any``, another line's name, ``[type]`` for a
list, or ``{type}`` for a map.  The field ``...`` says that others may be there.

A field that is in the file and not in the Struct is known and not implemented: nothing else says
so, so implementing a field is adding it to its Struct.
"""

from __future__ import annotations

import functools
import pkgutil
from typing import TypeAlias, cast

import msgspec
from msgspec import inspect

from serai.api.fields_untold import untold, usual_values


class Scalar(msgspec.Struct, frozen=True, gc=False):
    """A string, number or boolean."""

    types: frozenset[type]
    expected: str
    """The types in words."""
    choices: tuple[str | int, ...] = ()
    """The only values allowed; empty for any."""


class Items(msgspec.Struct, frozen=True):
    """A list."""

    item: Node


class Entries(msgspec.Struct, frozen=True):
    """A map with keys of the user's choice."""

    value: Node


class Field(msgspec.Struct, frozen=True):
    """One field of an object."""

    node: Node
    ignored: bool = False
    """Known, not implemented, and worth telling when it is set."""
    usual: tuple[object, ...] = ()
    """Values that ask for nothing; told of no ignored field."""


class Fields(msgspec.Struct, frozen=True):
    """An object with fields of its own."""

    fields: dict[str, Field]
    required: tuple[str, ...] = ()
    others: bool = False
    """Whether fields not listed are allowed."""


class Anything(msgspec.Struct, frozen=True):
    """A value that is not looked into."""


Node: TypeAlias = Scalar | Items | Entries | Fields | Anything

SCALARS: dict[str, Scalar] = {
    "string": Scalar(frozenset({str}), "a string"),
    "int": Scalar(frozenset({int}), "a whole number"),
    "number": Scalar(frozenset({int, float}), "a number"),
    "bool": Scalar(frozenset({bool}), "true or false"),
    "int-or-string": Scalar(frozenset({int, str}), "a whole number or a string"),
}


@functools.cache
def fields_of(struct: type[msgspec.Struct]) -> Fields:
    """The fields of a top-level kind, joined with its Struct."""
    info = inspect.type_info(struct)
    return _object(struct.__name__, cast("inspect.StructType", info), struct.__name__)


@functools.cache
def _types() -> dict[str, str]:
    data = pkgutil.get_data("serai.api", "known_fields.txt")
    lines = (data or b"").decode().splitlines()
    return dict(line.split(" ", 1) for line in lines if not line.startswith("#"))


def _object(name: str, info: inspect.StructType | None, path: str) -> Fields:
    """The fields of one line of the file; *path* is the kind and the field names down to here."""
    held = {field.encode_name: field for field in info.fields} if info else {}
    fields: dict[str, Field] = {}
    words = _types()[name].split()
    for word in words:
        field, kind, default = _parse(word)
        if field == "...":
            continue
        here = f"{path}.{field}"
        below = held.get(field)
        ignored = info is not None and below is None and not untold(here)
        node = _node(kind, below.type if below else None, here)
        fields[field] = Field(node, ignored, (*default, *usual_values(here)))
    for field in held.keys() - fields.keys():
        fields[field] = Field(_of_info(held[field].type, f"{path}.{field}"))
    required = tuple(name for name, field in held.items() if field.required)
    return Fields(fields, required, others="..." in words)


def _parse(word: str) -> tuple[str, str, tuple[object, ...]]:
    declared, has_default, default = word.partition("=")
    name, _, kind = declared.partition(":")
    if not has_default:
        return name, kind or "string", ()
    value = msgspec.json.decode(default) if kind in ("int", "number", "bool") else default
    return name, kind or "string", (value,)


def _node(kind: str, info: inspect.Type | None, path: str) -> Node:
    """A type of the file joined with what a Struct says of it; nothing where no Struct holds it."""
    info = _without_none(info)
    if kind.startswith("["):
        item = info.item_type if isinstance(info, inspect.VarTupleType) else None
        return Items(_node(kind[1:-1], item, path))
    if kind.startswith("{"):
        value = info.value_type if isinstance(info, inspect.DictType) else None
        return Entries(_node(kind[1:-1], value, path))
    if isinstance(info, inspect.LiteralType):
        return _choice(info)
    if scalar := SCALARS.get(kind):
        return scalar
    if kind == "any":
        return _of_info(info, path) if info else Anything()
    if isinstance(info, inspect.StructType):
        return _object(kind, info, path)
    return _unread(kind)


@functools.cache
def _unread(name: str) -> Fields:
    return _object(name, None, "")


def _of_info(info: inspect.Type, path: str) -> Node:
    """What a Struct alone says of a field that the file leaves open."""
    match _without_none(info):
        case inspect.StrType():
            return SCALARS["string"]
        case inspect.IntType():
            return SCALARS["int"]
        case inspect.BoolType():
            return SCALARS["bool"]
        case inspect.LiteralType() as literal:
            return _choice(literal)
        case inspect.VarTupleType(item_type=item):
            return Items(_of_info(item, path))
        case inspect.DictType(value_type=value):
            return Entries(_of_info(value, path))
        case inspect.StructType() as struct:
            fields = {
                field.encode_name: Field(_of_info(field.type, f"{path}.{field.encode_name}"))
                for field in struct.fields
            }
            return Fields(fields, tuple(f.encode_name for f in struct.fields if f.required), True)
    return Anything()


def _choice(literal: inspect.LiteralType) -> Scalar:
    values = tuple(value for value in literal.values if isinstance(value, (str, int)))
    return Scalar(frozenset(type(value) for value in values), "one of the values below", values)


def _without_none(info: inspect.Type | None) -> inspect.Type | None:
    """The one type of ``T | None``; a wider union is left to the file's type."""
    if not isinstance(info, inspect.UnionType):
        return info
    kinds = [kind for kind in info.types if not isinstance(kind, inspect.NoneType)]
    return kinds[0] if len(kinds) == 1 else None
