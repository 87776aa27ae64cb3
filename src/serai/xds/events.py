"""What a conversation tells the outside: acknowledged, rejected, cleared, converged."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from serai.ir.origin import Origin
from serai.xds.resource import ResourceKey, ResourceType


class Rejection(msgspec.Struct, frozen=True):
    """A resource's version that the client refused; it is not sent again."""

    version: str
    message: str
    """Envoy's own words."""
    origins: tuple[Origin, ...] = ()


class Acknowledged(msgspec.Struct, frozen=True):
    """The client took these versions; an empty version says that it let go of the resource."""

    type: ResourceType
    versions: tuple[tuple[str, str], ...]


class Rejected(msgspec.Struct, frozen=True):
    """One resource was found to be what the client refuses."""

    key: ResourceKey
    rejection: Rejection


class Cleared(msgspec.Struct, frozen=True):
    """A rejection is over: a new version was taken, or nobody wants the resource any more."""

    key: ResourceKey


class Converged(msgspec.Struct, frozen=True):
    """The client has all it asked for, as it should be, but for what it rejected."""


Event: TypeAlias = Acknowledged | Rejected | Cleared | Converged
