"""Fields that Envoy 1.40 has and that the messages we have do not know yet.

The newest published messages are a little older than that Envoy.  Such a field is kept as protobuf
keeps unknown ones: it is sent, and not shown.
"""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

_LENGTH_DELIMITED = 2
_SEVEN_BITS = 0x7F


def field(number: int, value: bytes) -> bytes:
    """A field that holds a text or a message."""
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(value)) + value


def with_field(message: M, number: int, value: bytes) -> M:
    """The message with such a field more."""
    message.MergeFromString(field(number, value))
    return message


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > _SEVEN_BITS:
        found.append(number & _SEVEN_BITS | _SEVEN_BITS + 1)
        number >>= 7
    return bytes([*found, number])
