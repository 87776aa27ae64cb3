"""The shapes of statuses, as the Gateway API has them.

Times of transition are added by whoever writes them; here nothing knows what time it is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from serai.api.gateway import GatewayAddress, ParentReference, RouteGroupKind
from serai.api.meta import Condition, Struct
from serai.api.networking import ServiceEntryAddress
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
    attached_listener_sets: int | None = None


class ListenerSetStatus(Struct, frozen=True):
    """ListenerSet.status."""

    conditions: tuple[Condition, ...]
    listeners: tuple[ListenerStatus, ...] = ()


class SupportedFeature(Struct, frozen=True):
    """supportedFeatures[]."""

    name: str


class FeaturesStatus(Struct, frozen=True):
    """The status of GatewayClasses and XMeshes."""

    conditions: tuple[Condition, ...]
    supported_features: tuple[SupportedFeature, ...] = ()


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


class ServiceEntryStatus(Struct, frozen=True):
    """ServiceEntry.status."""

    conditions: tuple[Condition, ...] = ()
    addresses: tuple[ServiceEntryAddress, ...] = ()


class PolicyAncestorStatus(Struct, frozen=True, omit_defaults=False):
    """PolicyStatus.ancestors[]."""

    ancestor_ref: ParentReference
    controller_name: str
    conditions: tuple[Condition, ...]


class PolicyStatus(Struct, frozen=True):
    """The status of policies.  Gateway API: GEP-713."""

    ancestors: tuple[PolicyAncestorStatus, ...]


Status = (
    GatewayStatus
    | ListenerSetStatus
    | FeaturesStatus
    | RouteStatus
    | ConditionsStatus
    | ServiceEntryStatus
    | PolicyStatus
)


def written(status: Status) -> dict[str, Any]:
    """A status as it is written back: with its defaults, as an API server has filled them in."""
    plain: dict[str, Any] = _without_nulls(msgspec.to_builtins(status))
    return plain


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list | tuple) else value


@lru_cache(maxsize=1_000)
def condition(kind: str, verdict: Verdict, generation: int) -> Condition:
    """A condition from a verdict."""
    return Condition(
        type=kind,
        status="True" if verdict.ok else "False",
        reason=verdict.reason,
        message=verdict.message,
        observed_generation=generation,
    )
