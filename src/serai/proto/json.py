"""Messages as JSON values, in the form that Envoy's own config dump has."""

from __future__ import annotations

from base64 import b64encode
from math import isfinite
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from serai.proto.pool import TYPE_URL_PREFIX, message

_AS_STRING = {
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT64,
}
"""JSON's numbers are too small for these."""


def to_json(value: Message) -> dict[str, object]:
    """A message as JSON: the fields that are set, named as in the proto files, maps by key.

    Every google.protobuf.Any is expanded.  One whose type this pool lacks, or whose bytes are
    not of its type, keeps its bytes, as base64 under ``value``.
    """
    if value.DESCRIPTOR.full_name == "google.protobuf.Any":
        return _expand(value)
    return {field.name: _field(field, held) for field, held in value.ListFields()}


def _expand(value: Any) -> dict[str, object]:
    head = {"@type": value.type_url}
    try:
        content = message(value.type_url.removeprefix(TYPE_URL_PREFIX)).FromString(value.value)
    except (KeyError, DecodeError):
        return head | {"value": b64encode(value.value).decode()}
    if _has_json_of_its_own(content):
        return head | {"value": _json(content)}
    return head | to_json(content)


def _field(field: FieldDescriptor, held: Any) -> object:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        of = field.message_type.fields_by_name["value"]
        return {_key(key): _one(of, held[key]) for key in sorted(held)}
    if field.is_repeated:
        return [_one(field, item) for item in held]
    return _one(field, held)


def _key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _one(field: FieldDescriptor, value: Any) -> object:
    if field.message_type is not None:
        return _json(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    if field.cpp_type in _AS_STRING:
        return str(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, float) and not isfinite(value):
        return {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(value, "NaN")
    return value


def _json(value: Message) -> object:
    if _has_json_of_its_own(value):
        return _by_key(json_format.MessageToDict(value))
    return to_json(value)


def _has_json_of_its_own(value: Message) -> bool:
    """Such as a Duration, ``5s``, or a wrapper, the value itself."""
    descriptor = value.DESCRIPTOR
    return descriptor.file.package == "google.protobuf" and descriptor.name != "Any"


def _by_key(value: object) -> object:
    """The same JSON, with the keys of every object in order."""
    if isinstance(value, dict):
        return {key: _by_key(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_by_key(item) for item in value]
    return value
