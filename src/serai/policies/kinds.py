"""The kinds of policies: what each applies to, and which of its fields is which feature."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from serai.api.kgateway import PolicyTargetReference, PolicyTargetSelector
from serai.api.meta import Object
from serai.api.request_authentication import RequestAuthentication
from serai.api.security import AuthorizationPolicy
from serai.api.traffic_policy import TrafficPolicy
from serai.attach.targets import TargetReference, TargetSelector
from serai.ir.origin import Value

Written = Iterator[tuple[str, str, Any]]
"""Field, the feature that it is, and what is written there."""


class PolicyKind(Value, frozen=True):
    """A kind of policy."""

    struct: type[Object]
    references: Callable[[Any], tuple[TargetReference, ...]]
    """What an object names as its targets."""
    selectors: Callable[[Any], tuple[TargetSelector, ...]]
    """How an object selects targets by their labels."""
    written: Callable[[Any], Written]
    """What an object asks for, feature by feature."""


def references(found: tuple[PolicyTargetReference, ...]) -> tuple[TargetReference, ...]:
    """spec.targetRefs as attachment takes it."""
    return tuple(
        TargetReference(each.group, each.kind, each.name, each.section_name or "") for each in found
    )


def selectors(found: tuple[PolicyTargetSelector, ...]) -> tuple[TargetSelector, ...]:
    """spec.targetSelectors as attachment takes it."""
    return tuple(
        TargetSelector(
            each.group,
            each.kind,
            tuple(sorted(each.match_labels.items())),
            each.section_name or "",
        )
        for each in found
    )


def _traffic(policy: TrafficPolicy) -> Written:
    spec = policy.spec
    limit, compression = spec.rate_limit, spec.compression
    fields: tuple[tuple[str, Any], ...] = (
        ("cors", spec.cors),
        ("faultInjection", spec.fault_injection),
        ("acl", spec.acl),
        ("oauth2", spec.oauth2),
        ("extAuth", spec.ext_auth),
        ("jwtAuth", spec.jwt_auth),
        ("basicAuth", spec.basic_auth),
        ("apiKeyAuth", spec.api_key_auth),
        ("rbac", spec.rbac),
        ("extProc", spec.ext_proc),
        ("rateLimit.local", limit and limit.local),
        ("rateLimit.global", limit and limit.global_),
        ("compression.requestDecompression", compression and compression.request_decompression),
        ("compression.responseCompression", compression and compression.response_compression),
        ("transformation", spec.transformation),
        ("headerModifiers", spec.header_modifiers),
        ("csrf", spec.csrf),
        ("buffer", spec.buffer),
        ("timeouts", spec.timeouts),
        ("retry", spec.retry),
        ("urlRewrite", spec.url_rewrite),
        ("autoHostRewrite", spec.auto_host_rewrite),
        ("internalRedirect", spec.internal_redirect),
        ("statPrefix", spec.stat_prefix),
        ("tracing", spec.tracing),
    )
    return ((f"spec.{field}", field, found) for field, found in fields if found is not None)


TRAFFIC_POLICY = PolicyKind(
    struct=TrafficPolicy,
    references=lambda policy: references(policy.spec.target_refs),
    selectors=lambda policy: selectors(policy.spec.target_selectors),
    written=_traffic,
)


def _istio(policy: AuthorizationPolicy | RequestAuthentication) -> tuple[TargetReference, ...]:
    """What a policy of Istio's names; objects of another namespace are none of its business."""
    own = policy.metadata.namespace
    return tuple(
        TargetReference(each.group, each.kind, each.name, namespace=each.namespace)
        if each.namespace not in {"", own}
        else TargetReference(each.group, each.kind, each.name)
        for each in policy.targets
    )


AUTHORIZATION_POLICY = PolicyKind(
    struct=AuthorizationPolicy,
    references=_istio,
    selectors=lambda _: (),
    written=lambda policy: iter((("spec", "AuthorizationPolicy", policy),)),
)

REQUEST_AUTHENTICATION = PolicyKind(
    struct=RequestAuthentication,
    references=_istio,
    selectors=lambda _: (),
    written=lambda policy: iter((("spec", "RequestAuthentication", policy),)),
)

POLICY_KINDS: tuple[PolicyKind, ...] = (
    TRAFFIC_POLICY,
    AUTHORIZATION_POLICY,
    REQUEST_AUTHENTICATION,
)
