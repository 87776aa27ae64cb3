"""What a policy that cannot be read may restrict, and where: read as far as it goes.

Leaving such a policy out would let everybody in; so what it may have restricted is refused, for
what it names, or, where that cannot be told, for all that it can apply to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from serai.api.backend_policy import BackendTLSPolicy
from serai.api.fields import Fields, fields_of
from serai.api.kinds import by_kind
from serai.api.listener_policy import ListenerPolicy
from serai.api.meta import Struct
from serai.api.security import DRY_RUN, AuthorizationPolicy
from serai.api.unread import Unread
from serai.attach.targets import TargetReference, TargetSelector
from serai.policies import BY_NAME, FEATURES
from serai.policies.feature import Fault

UNREADABLE = Fault("", "it cannot be read, so it cannot be told whom it lets in")
_TARGETS = ("targetRefs", "targetRef", "targetSelectors")


class _Reference(Struct, frozen=True):
    """What any of targetRefs and targetSelectors may have."""

    kind: str
    name: str = ""
    group: str = ""
    section_name: str = ""
    namespace: str = ""
    match_labels: dict[str, str] = {}


def restrictions(policy: Unread) -> Iterator[tuple[str, str]]:
    """Field and feature: what a policy may ask for that must not be skipped."""
    kind = policy.kind
    known = by_kind(kind)
    if known is None or not known.restricts:
        return  # serai.translate.cluster_policies: it may have asked for TLS
    if kind == ListenerPolicy.__name__:
        return  # serai.translate.listener_policies: it restricts connections
    if kind in BY_NAME:
        if not _decides_nothing(policy):
            yield "spec", kind
        return
    for feature in FEATURES:
        if feature.fails_closed and not by_kind(feature.name) and _asks(policy, feature.name):
            yield f"spec.{feature.name}", feature.name


def encrypts(policy: Unread) -> bool:
    """Whether a policy may ask for TLS to endpoints."""
    known = by_kind(policy.kind)
    is_of_tls = policy.kind == BackendTLSPolicy.__name__
    return known is not None and known.encrypts and (is_of_tls or _asks(policy, "tls"))


def references(policy: Unread) -> tuple[TargetReference, ...] | None:
    """What a policy names as its targets; None where that cannot be told."""
    spec = policy.spec
    if spec is None or not _tells_targets(policy.kind, spec):
        return None
    try:
        found = msgspec.convert(_listed(spec), list[_Reference])
    except msgspec.ValidationError:
        return None
    own = policy.metadata.namespace
    return tuple(
        TargetReference(
            each.group,
            each.kind,
            each.name,
            each.section_name,
            "" if each.namespace == own else each.namespace,
        )
        for each in found
    )


def selectors(policy: Unread) -> tuple[TargetSelector, ...]:
    """How a policy whose targets can be told selects them by their labels."""
    found = msgspec.convert((policy.spec or {}).get("targetSelectors", []), list[_Reference])
    return tuple(
        TargetSelector(
            each.group, each.kind, tuple(sorted(each.match_labels.items())), each.section_name
        )
        for each in found
    )


def _decides_nothing(policy: Unread) -> bool:
    """Whether it would let everybody in even if it could be read."""
    tried = policy.metadata.annotations.get(DRY_RUN, "").lower() == "true"
    audits = policy.spec is not None and policy.spec.get("action") == "AUDIT"
    return policy.kind == AuthorizationPolicy.__name__ and (tried or audits)


def _asks(policy: Unread, field: str) -> bool:
    """Whether a field, such as ``rateLimit.local``, is or may be written."""
    found: Any = policy.spec
    for name in field.split("."):
        if not isinstance(found, Mapping):
            return True
        if name not in found:
            return False
        found = found[name]
    return True


def _tells_targets(kind: str, spec: Mapping[str, Any]) -> bool:
    """Whether the targets are there, or are surely not: what is misspelt may be they."""
    try:
        msgspec.convert(spec.get("targetSelectors", []), list[_Reference])
    except msgspec.ValidationError:
        return False
    if any(name in spec for name in _TARGETS):
        return True
    known = by_kind(kind)
    fields = fields_of(known.struct).fields["spec"].node if known else None
    return isinstance(fields, Fields) and spec.keys() <= fields.fields.keys()


def _listed(spec: Mapping[str, Any]) -> Any:
    """spec.targetRefs, or the one of former versions."""
    if "targetRefs" in spec:
        return spec["targetRefs"]
    return [spec["targetRef"]] if "targetRef" in spec else []
