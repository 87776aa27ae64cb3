"""ListenerSet: listeners that others add to a Gateway.  Gateway API: ListenerSet."""

from __future__ import annotations

from serai.api.gateway import GROUP, Listener
from serai.api.meta import Object, Struct


class ParentGatewayReference(Struct, frozen=True, omit_defaults=False):
    """ListenerSet.spec.parentRef."""

    name: str
    group: str = GROUP
    kind: str = "Gateway"
    namespace: str | None = None


class ListenerSetSpec(Struct, frozen=True):
    """ListenerSet.spec; its entries have a Gateway's listeners' fields."""

    parent_ref: ParentGatewayReference
    listeners: tuple[Listener, ...] = ()


class ListenerSet(Object, frozen=True):
    """gateway.networking.k8s.io/v1 ListenerSet."""

    spec: ListenerSetSpec
