"""Writes the stubs of serai.proto.envoy: the messages it names and all that these can hold.

A message becomes a class with keyword arguments for its fields, so that the type checker finds
a misspelt field or a wrong type.  Messages without a name in serai.proto.envoy get their full
name, with underscores.
"""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING

from google.protobuf.descriptor import FieldDescriptor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.descriptor_pool import DescriptorPool

HEADER = '''\
"""Written by build_stubs.py when Serai is installed; do not edit."""

import builtins
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import ClassVar

from google.protobuf import (
    any_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2
)
from google.protobuf.internal.containers import (
    MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
)
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

MESSAGES: dict[builtins.str, builtins.str]

_Fields = Mapping[builtins.str, object]
'''

SCALARS = {
    FieldDescriptor.CPPTYPE_BOOL: "builtins.bool",
    FieldDescriptor.CPPTYPE_DOUBLE: "builtins.float",
    FieldDescriptor.CPPTYPE_FLOAT: "builtins.float",
    FieldDescriptor.CPPTYPE_ENUM: "builtins.int",
    FieldDescriptor.CPPTYPE_INT32: "builtins.int",
    FieldDescriptor.CPPTYPE_INT64: "builtins.int",
    FieldDescriptor.CPPTYPE_UINT32: "builtins.int",
    FieldDescriptor.CPPTYPE_UINT64: "builtins.int",
}

ALSO_ACCEPTED = {
    "google.protobuf.Duration": " | timedelta",
    "google.protobuf.Timestamp": " | datetime",
}


def write_stubs(pool: DescriptorPool, messages: Mapping[str, str]) -> str:
    """The stub file for `messages`, which are full names by the name each is to have."""
    named = {full_name: name for name, full_name in messages.items()}
    reachable: dict[str, Descriptor] = {}
    for full_name in sorted(named):
        _collect(pool.FindMessageTypeByName(full_name), reachable)
    parts = [HEADER]
    for full_name, descriptor in sorted(reachable.items()):
        if not _is_well_known(descriptor):
            parts.append("\n".join(_class(descriptor, named)))
        elif full_name in named:
            parts.append(f"{named[full_name]} = {_well_known(descriptor)}")
    return "\n\n".join(parts) + "\n"


def _collect(descriptor: Descriptor, reachable: dict[str, Descriptor]) -> None:
    if descriptor.full_name in reachable:
        return
    reachable[descriptor.full_name] = descriptor
    if _is_well_known(descriptor):
        return
    for nested in descriptor.nested_types:
        _collect(nested, reachable)
    for field in descriptor.fields:
        if field.message_type is not None:
            _collect(field.message_type, reachable)


def _class(descriptor: Descriptor, named: Mapping[str, str]) -> Iterator[str]:
    yield f"class {_name(descriptor, named)}(Message):"
    for enum in descriptor.enum_types:
        yield f"    {enum.name}: ClassVar[EnumTypeWrapper]"
        for value in enum.values:
            if not keyword.iskeyword(value.name):
                yield f"    {value.name}: ClassVar[builtins.int]"
    for nested in descriptor.nested_types:
        if not nested.GetOptions().map_entry:
            yield f"    {nested.name}: ClassVar[builtins.type[{_name(nested, named)}]]"
    # A field whose name is a Python keyword can be given in a nested mapping only.
    fields = [field for field in descriptor.fields if not keyword.iskeyword(field.name)]
    arguments = "".join(f", {f.name}: {_accepted(f, named)} | None = ..." for f in fields)
    # Some message has a field called self.
    yield f"    def __init__(_self{', *' if fields else ''}{arguments}) -> None: ..."
    for field in fields:
        if _is_repeated(field) or field.message_type is not None:
            yield "    @builtins.property"
            yield f"    def {field.name}(self) -> {_held(field, named)}: ..."
        else:
            yield f"    {field.name}: {_held(field, named)}"


def _accepted(field: FieldDescriptor, named: Mapping[str, str]) -> str:
    """The type of a field as an argument."""
    if _is_map(field):
        key, value = field.message_type.fields
        return f"Mapping[{_one(key, named)}, {_one(value, named)}]"
    if _is_repeated(field):
        return f"Iterable[{_one(field, named)}]"
    return _one(field, named)


def _one(field: FieldDescriptor, named: Mapping[str, str]) -> str:
    if field.message_type is not None:
        also = ALSO_ACCEPTED.get(field.message_type.full_name, "")
        return f"{_name(field.message_type, named)} | _Fields{also}"
    return _scalar(field) + (" | builtins.str" if field.enum_type is not None else "")


def _held(field: FieldDescriptor, named: Mapping[str, str]) -> str:
    """The type of a field as an attribute."""
    if _is_map(field):
        key, value = field.message_type.fields
        if value.message_type is not None:
            return f"MessageMap[{_scalar(key)}, {_name(value.message_type, named)}]"
        return f"ScalarMap[{_scalar(key)}, {_scalar(value)}]"
    if field.message_type is None:
        scalar = _scalar(field)
        return f"RepeatedScalarFieldContainer[{scalar}]" if _is_repeated(field) else scalar
    name = _name(field.message_type, named)
    return f"RepeatedCompositeFieldContainer[{name}]" if _is_repeated(field) else name


def _scalar(field: FieldDescriptor) -> str:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return "builtins.bytes" if field.type == FieldDescriptor.TYPE_BYTES else "builtins.str"
    return SCALARS[field.cpp_type]


def _name(descriptor: Descriptor, named: Mapping[str, str]) -> str:
    if _is_well_known(descriptor):
        return _well_known(descriptor)
    return named.get(descriptor.full_name) or descriptor.full_name.replace(".", "_")


def _is_well_known(descriptor: Descriptor) -> bool:
    return descriptor.file.package == "google.protobuf"


def _well_known(descriptor: Descriptor) -> str:
    module = descriptor.file.name.removeprefix("google/protobuf/").removesuffix(".proto")
    return f"{module}_pb2.{descriptor.name}"


def _is_repeated(field: FieldDescriptor) -> bool:
    return bool(field.is_repeated)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)
