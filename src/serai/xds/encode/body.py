"""A message -> the resource that is sent."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from google.protobuf.message import Message

from serai.ir.origin import Origin
from serai.proto.pool import pack
from serai.xds.resource import Resource, ResourceType

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
    body = message.SerializeToString(deterministic=True)
    return Resource(kind, name, blake2b(body, digest_size=8).hexdigest(), body, origins)


def extension(name: str, config: Message) -> dict[str, Any]:
    """A named extension, with its typed configuration."""
    return {"name": name, "typed_config": pack(config)}
