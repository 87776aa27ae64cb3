"""TrafficPolicy.spec.tracing, and the attributes that listener policies have too."""

from __future__ import annotations

from typing import Literal

from serai.api.bounds import Percent
from serai.api.kgateway import Nothing
from serai.api.meta import Struct


class LiteralAttribute(Struct, frozen=True):
    """attributes[].literal."""

    value: str


class NamedAttribute(Struct, frozen=True):
    """attributes[].environment and .requestHeader."""

    name: str
    default_value: str | None = None


class PathSegment(Struct, frozen=True):
    """metadataKey.path[]."""

    key: str


class MetadataKey(Struct, frozen=True):
    """attributes[].metadata.metadataKey."""

    key: str
    path: tuple[PathSegment, ...] = ()


class MetadataAttribute(Struct, frozen=True):
    """attributes[].metadata."""

    kind: Literal["Request", "Route", "Cluster", "Host"]
    metadata_key: MetadataKey
    default_value: str | None = None


class Attribute(Struct, frozen=True):
    """attributes[]: a name and one of the others."""

    name: str
    literal: LiteralAttribute | None = None
    environment: NamedAttribute | None = None
    request_header: NamedAttribute | None = None
    metadata: MetadataAttribute | None = None


class RouteTracing(Struct, frozen=True):
    """TrafficPolicy.spec.tracing."""

    client_sampling: Percent | None = None
    random_sampling: Percent | None = None
    overall_sampling: Percent | None = None
    attributes: tuple[Attribute, ...] = ()
    disable: Nothing | None = None
