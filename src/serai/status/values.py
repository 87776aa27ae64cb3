"""The shapes of statuses, as the Gateway API has them.

Times of transition are added by whoever writes them; here nothing knows what time it is.
"""

from __future__ import annotations

from serai.api.gateway import GatewayAddress, ParentReference, RouteGroupKind
from serai.api.meta import Condition, Struct
from serai.attach.verdict import Verdict


class ListenerStatus(Struct, frozen=True, omit_defaults=False):
    """Gateway.status.listeners[]."""

    name: str
    attached_routes: int
    supported_kinds: tuple[RouteGroupKind, ...]
    conditions: tuple[Condition, ...]


class GatewayStatus(Struct, frozen=True):
    """Gateway.status."""

    conditions: tuple[Condition, ...]
    addresses: tuple[GatewayAddress, ...] = ()
    listeners: tuple[ListenerStatus, ...] = ()


class RouteParentStatus(Struct, frozen=True, omit_defaults=False):
    """HTTPRoute.status.parents[]."""

    parent_ref: ParentReference
    controller_name: str
    conditions: tuple[Condition, ...]


class RouteStatus(Struct, frozen=True):
    """HTTPRoute.status."""

    parents: tuple[RouteParentStatus, ...]


class ConditionsStatus(Struct, frozen=True):
    """The status of kinds of which we only write conditions."""

    conditions: tuple[Condition, ...]


Status = GatewayStatus | RouteStatus | ConditionsStatus


def condition(kind: str, verdict: Verdict, generation: int) -> Condition:
    """A condition from a verdict."""
    return Condition(
        type=kind,
        status="True" if verdict.ok else "False",
        reason=verdict.reason,
        message=verdict.message,
        observed_generation=generation,
    )
