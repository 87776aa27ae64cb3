"""The table of what can be asked of a cluster, and who decides where several ask.

Of the kinds of policies, BackendTLSPolicy comes first, then BackendConfigPolicy, then
XBackendTrafficPolicy, then DestinationRule, then what the service says itself.  What the first
says of a feature stands; the next ones add fields that it leaves out, unless the feature is one
that only works as a whole.  Of several policies of one kind the first to say something of a
feature says all of it; of BackendConfigPolicies the first to have a field says all of that field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from serai.api.backend_policy import BackendTLSValidation, XBackendTrafficPolicySpec
from serai.api.destination_rule import TrafficPolicy
from serai.api.kgateway_backend import BackendConfigPolicySpec
from serai.api.xbackend import XBackendTls
from serai.backends.circuit_breaker import CIRCUIT_BREAKER
from serai.backends.connection import CONNECTION
from serai.backends.dns import DNS
from serai.backends.feature import Asked, Draft, Feature, SpeaksTls, Subject, Unreadable
from serai.backends.health_check import HEALTH_CHECK
from serai.backends.load_balancer import LOAD_BALANCER, UPDATES
from serai.backends.outlier_detection import OUTLIER_DETECTION
from serai.backends.panic import PANIC
from serai.backends.preference import PREFERENCE
from serai.backends.protocol_options import HTTP1_OPTIONS, HTTP2_OPTIONS, HTTP_OPTIONS
from serai.backends.proxy_protocol import PROXY_PROTOCOL
from serai.backends.upstream_tls import UPSTREAM_TLS
from serai.ir.cluster import Refusal
from serai.ir.origin import Value

FEATURES: tuple[Feature, ...] = (
    CONNECTION,
    CIRCUIT_BREAKER,
    HTTP_OPTIONS,
    HTTP1_OPTIONS,
    HTTP2_OPTIONS,
    DNS,
    LOAD_BALANCER,
    UPDATES,
    PANIC,
    PREFERENCE,
    OUTLIER_DETECTION,
    HEALTH_CHECK,
    UPSTREAM_TLS,
    PROXY_PROTOCOL,
)
"""In the order in which they are written: PROXY protocol is put around TLS."""

RANKS: tuple[type, ...] = (
    Unreadable,
    BackendTLSValidation,
    BackendConfigPolicySpec,
    XBackendTrafficPolicySpec,
    TrafficPolicy,
    SpeaksTls,
    XBackendTls,
)
"""Whose word counts first."""


class InForce(msgspec.Struct, frozen=True):
    """What is asked of a cluster, in the end."""

    leaves: tuple[Value, ...]
    refusals: tuple[Refusal, ...]
    """What cannot be done, and must not be left out either."""


def in_force(asked: Iterable[Asked], subject: Subject) -> InForce:
    """What everything that is asked of a cluster comes to; of one kind the first counts first."""
    by_rank = _unclaimed(sorted(asked, key=lambda each: RANKS.index(type(each.spec))))
    leaves: list[Value] = []
    refusals: list[Refusal] = []
    for feature in FEATURES:
        found = None
        for said in _said(feature, by_rank, subject):
            if isinstance(said, Refusal):
                refusals.append(said)
                break
            found = said if found is None else _filled(found, said)
            if feature.whole:
                break
        if found is not None:
            leaves.append(found)
    return InForce(tuple(leaves), tuple(refusals))


def _unclaimed(asked: Iterable[Asked]) -> list[Asked]:
    """Each BackendConfigPolicy with those of its fields that none before it has."""
    claimed: set[str] = set()
    found: list[Asked] = []
    for each in asked:
        spec = each.spec
        if not isinstance(spec, BackendConfigPolicySpec):
            found.append(each)
            continue
        said = {name for name in spec.__struct_fields__ if getattr(spec, name) is not None}
        taken = dict.fromkeys(name for name in said & claimed if not name.startswith("target_"))
        found.append(replace(each, spec=replace(spec, **taken)))
        claimed |= said
    return found


def _said(feature: Feature, asked: Iterable[Asked], subject: Subject) -> Iterator[Value | Refusal]:
    """What each kind says of a feature, through the first of its policies that says anything.

    A feature may be several fields of BackendConfigPolicies, which merge field by field.
    """
    heard: set[type] = set()
    for each in asked:
        read = feature.reads.get(type(each.spec))
        if read is None or type(each.spec) in heard:
            continue
        found = read(each.spec, replace(subject, policy_namespace=each.policy.namespace))
        if isinstance(found, Refusal):
            path = f"{each.path}.{found.path}" if each.path else found.path
            yield replace(found, policy=each.policy, path=path)
        elif found is not None:
            yield found
        if found is not None and not isinstance(each.spec, BackendConfigPolicySpec):
            heard.add(type(each.spec))


def _filled(first: Value, second: Value) -> Value:
    """The first value, with what it leaves open as the second has it."""
    open_ = {
        name: getattr(second, name)
        for name in first.__struct_fields__
        if getattr(first, name) is None
    }
    return replace(first, **open_)


_BY_VALUE = {feature.value: feature for feature in FEATURES}


def write(leaves: Iterable[Value], draft: Draft) -> None:
    """Write what is in force into a cluster."""
    for leaf in leaves:
        _BY_VALUE[type(leaf)].write(leaf, draft)
