"""spec.transformation of a TrafficPolicy: templates for headers, bodies and metadata."""

from __future__ import annotations

from serai.api.meta import Struct


class HeaderTemplate(Struct, frozen=True):
    """set[] and add[]."""

    name: str
    value: str = ""


class BodyTemplate(Struct, frozen=True):
    """body; parseAs is AsString, AsJson or None."""

    parse_as: str = "AsString"
    value: str | None = None


class MetadataValue(Struct, frozen=True):
    """dynamicMetadata[].value."""

    string_value: str | None = None


class MetadataTemplate(Struct, frozen=True):
    """dynamicMetadata[]."""

    namespace: str
    key: str
    value: MetadataValue


class Transform(Struct, frozen=True):
    """What is done to a request, or to an answer."""

    set: tuple[HeaderTemplate, ...] = ()
    add: tuple[HeaderTemplate, ...] = ()
    remove: tuple[str, ...] = ()
    body: BodyTemplate | None = None
    dynamic_metadata: tuple[MetadataTemplate, ...] = ()


class Transformation(Struct, frozen=True):
    """spec.transformation."""

    request: Transform | None = None
    response: Transform | None = None
