"""A message -> the resource that is sent."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from google.protobuf.message import Message

from serai.ir.origin import Origin
from serai.proto.pool import pack
from serai.xds.resource import Resource, ResourceKey, ResourceType

ADS = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": {}}
"""Wait for what a listener names for as long as it takes: what was there before goes on serving."""

EDS = {"ads": {}, "resource_api_version": "V3"}
"""Wait for endpoints for Envoy's own 15 s: a cluster that never gets any must not hold up others.

Envoy 1.40 acknowledges clusters only once all of them are warm.
"""


def resource(
    kind: ResourceType, name: str, message: Message, origins: tuple[Origin, ...]
) -> Resource:
    """Serialise a message; its version is a hash of its bytes."""
    return of_body(kind, name, message.SerializeToString(deterministic=True), origins)


def of_body(
    kind: ResourceType,
    name: str,
    body: bytes,
    origins: tuple[Origin, ...],
    references: tuple[ResourceKey, ...] | None = None,
) -> Resource:
    """The resource of a message that is serialised already."""
    version = blake2b(body, digest_size=8).hexdigest()
    return Resource(kind, name, version, body, origins, references)


def field_head(number: int, length: int) -> bytes:
    """What stands before a field of so many bytes; its number is below 16."""
    head = bytearray((number << 3 | 2,))
    while length > 0x7F:  # noqa: PLR2004
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head)


def extension(name: str, config: Message) -> dict[str, Any]:
    """A named extension, with its typed configuration."""
    return {"name": name, "typed_config": pack(config)}
