"""The Gateway API's policies for backends: BackendTLSPolicy and XBackendTrafficPolicy."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from serai.api.bounds import Percent, Positive, Whole
from serai.api.httproute import SessionPersistence
from serai.api.meta import Object, Struct

EXPERIMENTAL_GROUP = "gateway.networking.x-k8s.io"


class TargetReferenceWithSection(Struct, frozen=True, omit_defaults=False):
    """BackendTLSPolicy.spec.targetRefs[]."""

    group: str
    kind: str
    name: str
    section_name: str | None = None


class TargetReference(Struct, frozen=True, omit_defaults=False):
    """XBackendTrafficPolicy.spec.targetRefs[]."""

    group: str
    kind: str
    name: str


class CACertificateReference(Struct, frozen=True, omit_defaults=False):
    """validation.caCertificateRefs[]: in the policy's own namespace."""

    group: str
    kind: str
    name: str


class SubjectAltName(Struct, frozen=True):
    """validation.subjectAltNames[]."""

    type: Literal["Hostname", "URI"]
    hostname: str | None = None
    uri: str | None = None


class BackendTLSValidation(Struct, frozen=True):
    """BackendTLSPolicy.spec.validation."""

    hostname: str
    ca_certificate_refs: tuple[CACertificateReference, ...] = ()
    well_known_ca: str | None = field(name="wellKnownCACertificates", default=None)
    subject_alt_names: tuple[SubjectAltName, ...] = ()


class BackendTLSPolicySpec(Struct, frozen=True):
    """BackendTLSPolicy.spec."""

    target_refs: tuple[TargetReferenceWithSection, ...]
    validation: BackendTLSValidation


class BackendTLSPolicy(Object, frozen=True):
    """gateway.networking.k8s.io/v1 BackendTLSPolicy."""

    spec: BackendTLSPolicySpec


class RetryBudget(Struct, frozen=True):
    """retryConstraint.budget."""

    percent: Percent = 20
    interval: Whole = "10s"


class RequestRate(Struct, frozen=True):
    """retryConstraint.minRetryRate."""

    count: Annotated[int, Meta(extra={"least": 1, "most": 1_000_000})] = 10
    interval: Positive = "1s"


class RetryConstraint(Struct, frozen=True):
    """XBackendTrafficPolicy.spec.retryConstraint."""

    budget: RetryBudget = RetryBudget()
    min_retry_rate: RequestRate = RequestRate()


class XBackendTrafficPolicySpec(Struct, frozen=True):
    """XBackendTrafficPolicy.spec."""

    target_refs: tuple[TargetReference, ...]
    retry_constraint: RetryConstraint | None = None
    session_persistence: SessionPersistence | None = None


class XBackendTrafficPolicy(Object, frozen=True):
    """gateway.networking.x-k8s.io/v1alpha1 XBackendTrafficPolicy."""

    spec: XBackendTrafficPolicySpec
