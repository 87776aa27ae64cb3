"""Between discovery messages as bytes and what the streams speak of."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
from google.protobuf.message import DecodeError

from serai.ir.viewpoint import Viewpoint
from serai.proto.envoy import DeltaDiscoveryRequest, DiscoveryRequest
from serai.xds.delta import DeltaRequest, DeltaResponse
from serai.xds.node import viewpoint_of
from serai.xds.resource import ResourceType
from serai.xds.sotw import SotwRequest, SotwResponse
from serai.xds.world import Entry

TYPES: Final = {type_.type_url: type_ for type_ in ResourceType}


class Node(msgspec.Struct, frozen=True):
    """Who a client says to be."""

    id: str
    """The instance."""
    cluster: str
    """The Gateway, as ``namespace/name``."""
    agent: str = ""
    """Such as ``envoy``."""
    viewpoint: Viewpoint | None = None
    """Where it says to be, if it does."""


class Unreadable(msgspec.Struct, frozen=True):
    """A request that can't be served."""

    reason: str
    breaks_protocol: bool
    """Whether the stream must end; a type that Serai doesn't serve is merely left unanswered."""


class DeltaMessage(NamedTuple):
    """A delta request; the node is mostly in the first one only."""

    node: Node | None
    request: DeltaRequest | Unreadable


class SotwMessage(NamedTuple):
    """A state-of-the-world request; the node is mostly in the first one only."""

    node: Node | None
    request: SotwRequest | Unreadable


def decode_delta(data: bytes) -> DeltaMessage:
    """Reads an envoy.service.discovery.v3.DeltaDiscoveryRequest."""
    message = _parsed(DeltaDiscoveryRequest.FromString, data)
    if isinstance(message, Unreadable):
        return DeltaMessage(None, message)
    type_ = _type(message)
    if isinstance(type_, Unreadable):
        return DeltaMessage(_node(message), type_)
    request = DeltaRequest(
        type=type_,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        initial_versions=dict(message.initial_resource_versions),
        nonce=message.response_nonce,
        error=_error(message),
    )
    return DeltaMessage(_node(message), request)


def decode_sotw(data: bytes) -> SotwMessage:
    """Reads an envoy.service.discovery.v3.DiscoveryRequest."""
    message = _parsed(DiscoveryRequest.FromString, data)
    if isinstance(message, Unreadable):
        return SotwMessage(None, message)
    type_ = _type(message)
    if isinstance(type_, Unreadable):
        return SotwMessage(_node(message), type_)
    request = SotwRequest(
        type=type_,
        names=tuple(message.resource_names),
        version=message.version_info,
        nonce=message.response_nonce,
        error=_error(message),
    )
    return SotwMessage(_node(message), request)


def encode_delta(response: DeltaResponse) -> bytes:
    """An envoy.service.discovery.v3.DeltaDiscoveryResponse."""
    parts = [_text(4, response.type.type_url), _text(5, response.nonce)]
    parts += [_text(6, name) for name in response.removed]
    for entry in response.resources:
        parts += (_delta_head(entry), entry.resource.body)
    return b"".join(parts)


def encode_sotw(response: SotwResponse) -> bytes:
    """An envoy.service.discovery.v3.DiscoveryResponse."""
    parts = [
        _text(1, response.version),
        _text(4, response.type.type_url),
        _text(5, response.nonce),
    ]
    for entry in response.resources:
        parts += (_any_head(2, entry), entry.resource.body)
    return b"".join(parts)


def _parsed(parse: Callable[[bytes], Any], data: bytes) -> Any | Unreadable:
    try:
        return parse(data)
    except DecodeError:
        return Unreadable("not a discovery request", breaks_protocol=True)


def _type(message: Any) -> ResourceType | Unreadable:
    if not message.type_url:
        return Unreadable("a discovery request on ADS must have a type_url", breaks_protocol=True)
    type_ = TYPES.get(message.type_url)
    if type_ is None:
        return Unreadable(f"{message.type_url[:200]} is not served", breaks_protocol=False)
    return type_


def _node(message: Any) -> Node | None:
    if not message.HasField("node"):
        return None
    node = message.node
    return Node(node.id, node.cluster, node.user_agent_name, viewpoint_of(node))


_QUOTED = re.compile(r"goo\.gle/debug.*?(\n(?=: )|\Z)", re.DOTALL)
"""The configuration that Envoy refuses, as it prints it before it says why: long, and it may hold
what a Secret does."""


def _error(message: Any) -> str | None:
    if not message.HasField("error_detail"):
        return None
    words = _QUOTED.sub("the configuration", message.error_detail.message)
    words = " ".join(words.split())  # it may have several lines
    return words or f"code {message.error_detail.code}"


@lru_cache(maxsize=16)
def _delta_head(entry: Entry) -> bytes:
    """What comes before the body of a Resource: its own tag, name, version, the Any's head.

    Only the last few are kept, for the many clients that get one change: of all resources it would
    be 200 bytes each.
    """
    any_head = _any_head(2, entry)
    named = _text(3, entry.resource.name) + _text(1, entry.resource.version)
    inside = len(named) + len(any_head) + len(entry.resource.body)
    return b"%b%b%b%b" % (_TAGS[2], _varint(inside), named, any_head)


def _any_head(field: int, entry: Entry) -> bytes:
    """What comes before the body of a google.protobuf.Any that is the given field."""
    body = len(entry.resource.body)
    head = b"%b%b%b" % (_ANY[entry.resource.type], _TAGS[2], _varint(body))
    return b"%b%b%b" % (_TAGS[field], _varint(len(head) + body), head)


def _text(field: int, value: str) -> bytes:
    data = value.encode()
    return b"%b%b%b" % (_TAGS[field], _varint(len(data)), data)


def _varint(value: int) -> bytes:
    return _VARINTS[value] if value < len(_VARINTS) else _long_varint(value)


def _long_varint(value: int) -> bytes:
    digits = []
    while value > 0x7F:  # noqa: PLR2004
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*digits, value))


_TAGS: Final = [bytes(((field << 3) | 2,)) for field in range(16)]
"""Of length-delimited fields."""
_VARINTS: Final = [_long_varint(value) for value in range(1024)]
_ANY: Final = {type_: _text(1, type_.type_url) for type_ in ResourceType}
"""The URL of a type, as it is in an Any."""
