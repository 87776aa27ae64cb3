"""One resource as Envoy gets it: bytes, a version by content, and the objects behind it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import msgspec

from serai.ir.origin import Origin


class ResourceType(Enum):
    """Envoy's resource types, in the order in which additions are sent (make before break)."""

    CLUSTER = "envoy.config.cluster.v3.Cluster"
    ENDPOINTS = "envoy.config.endpoint.v3.ClusterLoadAssignment"
    EXTENSION = "envoy.config.core.v3.TypedExtensionConfig"
    LISTENER = "envoy.config.listener.v3.Listener"
    FILTER_CHAIN = "envoy.config.listener.v3.FilterChain"
    SCOPE = "envoy.config.route.v3.ScopedRouteConfiguration"
    ROUTES = "envoy.config.route.v3.RouteConfiguration"
    SECRET = "envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105

    __hash__ = object.__hash__
    """Members are singletons; Enum's own hash is a function in Python, called for each key."""

    def __lt__(self, other: ResourceType) -> bool:
        """Keys of resources are sorted."""
        return self.value < other.value

    @property
    def type_url(self) -> str:
        """As in a discovery request."""
        return "type.googleapis.com/" + self.value


class ResourceKey(NamedTuple):
    """A resource's identity within one proxy."""

    type: ResourceType
    name: str


class Resource(msgspec.Struct, frozen=True, gc=False):
    """A serialised resource.  Equal bytes have equal versions, wherever they were made."""

    type: ResourceType
    name: str
    version: str
    body: bytes
    """The message, serialised deterministically (without the google.protobuf.Any around it)."""
    origins: tuple[Origin, ...] = ()
    references: tuple[ResourceKey, ...] | None = None
    """What it names, where that is known already; else serai.xds.references reads the body."""

    @property
    def key(self) -> ResourceKey:
        """Its identity within one proxy."""
        return ResourceKey(self.type, self.name)
