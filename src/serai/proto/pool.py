"""The private descriptor pool, and the message classes in it."""

from __future__ import annotations

from importlib.resources import files

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

TYPE_URL_PREFIX = "type.googleapis.com/"

LENGTH_BYTES = 4
"""In the bundle each file descriptor follows its length, in this many bytes, big-endian."""


def _load() -> DescriptorPool:
    pool = DescriptorPool()
    bundle = memoryview(files(__package__).joinpath("envoy.binpb").read_bytes())
    at = 0
    while at < len(bundle):
        start = at + LENGTH_BYTES
        at = start + int.from_bytes(bundle[at:start])
        pool.AddSerializedFile(bytes(bundle[start:at]))
    return pool


POOL = _load()


def message(full_name: str) -> type[Message]:
    """The class of a message, by its full name such as ``envoy.config.cluster.v3.Cluster``.

    Raises KeyError where the bundle has no such message.
    """
    return GetMessageClass(POOL.FindMessageTypeByName(full_name))


def pack(value: Message) -> dict[str, object]:
    """A message as the keyword form of ``google.protobuf.Any``, for use in nested arguments."""
    return {
        "type_url": TYPE_URL_PREFIX + value.DESCRIPTOR.full_name,
        "value": value.SerializeToString(deterministic=True),
    }
