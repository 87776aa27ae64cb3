"""Istio's policies on who may call: AuthorizationPolicy.  Group security.istio.io."""

from __future__ import annotations

from serai.api.meta import Object, Struct

GROUP = "security.istio.io"
DRY_RUN = "istio.io/dry-run"
"""The annotation by which a policy says what it would do, and does nothing."""


class PolicyTargetReference(Struct, frozen=True):
    """spec.targetRef and spec.targetRefs[]."""

    kind: str
    name: str
    group: str = ""
    namespace: str = ""


class Source(Struct, frozen=True):
    """spec.rules[].from[].source: all of these; of each, any value."""

    principals: tuple[str, ...] = ()
    not_principals: tuple[str, ...] = ()
    request_principals: tuple[str, ...] = ()
    not_request_principals: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    not_namespaces: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    not_service_accounts: tuple[str, ...] = ()
    trust_domains: tuple[str, ...] = ()
    not_trust_domains: tuple[str, ...] = ()
    ip_blocks: tuple[str, ...] = ()
    not_ip_blocks: tuple[str, ...] = ()
    remote_ip_blocks: tuple[str, ...] = ()
    not_remote_ip_blocks: tuple[str, ...] = ()


class Operation(Struct, frozen=True):
    """spec.rules[].to[].operation: all of these; of each, any value."""

    hosts: tuple[str, ...] = ()
    not_hosts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    not_ports: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    not_methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()


class From(Struct, frozen=True):
    """spec.rules[].from[]."""

    source: Source = Source()


class To(Struct, frozen=True):
    """spec.rules[].to[]."""

    operation: Operation = Operation()


class AuthorizationCondition(Struct, frozen=True):
    """spec.rules[].when[]."""

    key: str
    values: tuple[str, ...] = ()
    not_values: tuple[str, ...] = ()


class Rule(Struct, frozen=True, rename={"from_": "from"}):
    """spec.rules[].  What is not written asks for nothing; an empty list is a mistake."""

    from_: tuple[From, ...] | None = None
    to: tuple[To, ...] | None = None
    when: tuple[AuthorizationCondition, ...] = ()


class Provider(Struct, frozen=True):
    """spec.provider: whom action CUSTOM asks."""

    name: str = ""


class AuthorizationPolicySpec(Struct, frozen=True):
    """AuthorizationPolicy.spec."""

    target_refs: tuple[PolicyTargetReference, ...] = ()
    target_ref: PolicyTargetReference | None = None
    """Of former versions; counts where there are no targetRefs."""
    action: str = "ALLOW"
    rules: tuple[Rule, ...] = ()
    provider: Provider | None = None


class AuthorizationPolicy(Object, frozen=True):
    """security.istio.io/v1 AuthorizationPolicy."""

    spec: AuthorizationPolicySpec = AuthorizationPolicySpec()

    @property
    def targets(self) -> tuple[PolicyTargetReference, ...]:
        """What it names, in the way of former versions too."""
        former = self.spec.target_ref
        return self.spec.target_refs or ((former,) if former else ())
