"""What every object has: metadata, keys, conditions, label selectors."""

from __future__ import annotations

from sys import intern
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec.structs import force_setattr


class Struct(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Base of everything decoded from a manifest.  Fields that nothing reads are not kept."""


class Key(NamedTuple):
    """An object's identity: its kind, namespace (empty when cluster-scoped) and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        scope = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {scope}{self.name}"

    @property
    def namespaced_name(self) -> str:
        """``namespace/name``, where the kind goes without saying."""
        return f"{self.namespace}/{self.name}"


_NOTHING: dict[str, Any] = {}


def share_nothing(struct: msgspec.Struct, *fields: str) -> None:
    """Let empty dictionaries be one: nobody writes into what is decoded; each takes 64 bytes."""
    for name in fields:
        if not getattr(struct, name):
            force_setattr(struct, name, _NOTHING)


class ObjectMeta(Struct, frozen=True):
    """metadata."""

    name: str
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    generation: int = 1
    """Raised by the API server on each change of the spec; a folder's objects have 1."""

    def __post_init__(self) -> None:
        share_nothing(self, "labels", "annotations")
        # Thousands of objects are in one namespace.
        force_setattr(self, "namespace", intern(self.namespace))


class Object(Struct, frozen=True):
    """Base of every top-level kind."""

    metadata: ObjectMeta

    @property
    def key(self) -> Key:
        """The object's identity."""
        return Key(type(self).__name__, self.metadata.namespace, self.metadata.name)


class LabelSelectorRequirement(Struct, frozen=True):
    """One of matchExpressions."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class LabelSelector(Struct, frozen=True):
    """A Kubernetes label selector; empty matches everything."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class Condition(Struct, frozen=True, omit_defaults=False):
    """One entry of status.conditions."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str = ""
    message: str = ""
    observed_generation: int = 1
