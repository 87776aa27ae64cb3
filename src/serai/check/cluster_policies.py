"""SER11: policies for clusters that apply to nothing, or ask for what cannot be done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serai.api.backend_policy import BackendTLSPolicy, RetryConstraint, XBackendTrafficPolicy
from serai.api.kgateway_backend import (
    BackendConfigPolicy,
    BackendConfigPolicySpec,
    LoadBalancer,
)
from serai.api.meta import Key
from serai.api.problem import Problem
from serai.backends.upstream_tls import trust_of
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader
from serai.translate.applied import Applied
from serai.translate.cluster_policies import TARGETED, Aim, Section
from serai.translate.collections import Attached
from serai.translate.session import session


def cluster_policy_problems(
    graph: Graph, attached: Attached, done: Applied
) -> Derived[ProblemKey, Problem]:
    """What is wrong with each policy that names services, target by target."""

    def rows(reader: Reader, key: Key, aim: Aim) -> Iterator[tuple[ProblemKey, Problem]]:
        for position, target in enumerate(aim.targets):
            path = f"spec.targetRefs[{position}]"
            backends = [each for each in target.keys if each.object.kind in TARGETED]
            if not backends:
                words = target.verdict.message or f"{target.asked} is no backend"
                message = f"{path} applies to nothing: {words}"
                remedy = "Name a Service, ServiceEntry, Hostname or Backend that is there."
                yield keyed(Problem("SER1101", "error", message, remedy, key, path))
            for each in backends if key.kind == "BackendTLSPolicy" else ():
                section = Section(each.object, each.section, each.host)
                winner = attached.cluster_policies.winner(reader, key.kind, section)
                if winner not in {None, key}:
                    message = f"{path} is {winner}'s, which is older or comes first by name"
                    remedy = "Remove one of them, or give this one a sectionName."
                    yield keyed(Problem("SER1103", "error", message, remedy, key, path))
                    break
        yield from _refusals(reader, done, key)
        yield from _untrusted(reader, attached, key)
        yield from _unkept(reader, attached, key)

    return Derived(graph, "problems of cluster policies", attached.cluster_policies.aims, rows)


def unmet_problems(
    graph: Graph, kind: str, objects: Node[Key, Any], done: Applied
) -> Derived[ProblemKey, Problem]:
    """What objects that say themselves what they are for ask for and cannot have."""

    def rows(reader: Reader, key: Key, _: object) -> Iterator[tuple[ProblemKey, Problem]]:
        yield from _refusals(reader, done, key)

    return Derived(graph, f"unmet wishes of {kind}", objects, rows)


def _untrusted(
    reader: Reader, attached: Attached, key: Key
) -> Iterator[tuple[ProblemKey, Problem]]:
    """References to CA certificates that cannot be used, where others can."""
    policy = reader.get(attached.cluster_policies.written[key.kind], key)
    if not isinstance(policy, BackendTLSPolicy):
        return
    trust, faults = trust_of(
        policy.spec.validation.ca_certificate_refs,
        key.namespace,
        lambda held: attached.material.read(reader, held),
    )
    for each in faults if trust else ():
        path = f"spec.validation.{each.path}"
        message = f"{path}: {each.message}; only the others are trusted"
        yield keyed(Problem("SER1104", "warning", message, "Correct or remove it.", key, path))


def _unkept(reader: Reader, attached: Attached, key: Key) -> Iterator[tuple[ProblemKey, Problem]]:
    """What is done otherwise than it is asked for."""
    policy = reader.get(attached.cluster_policies.written[key.kind], key)
    if isinstance(policy, XBackendTrafficPolicy):
        yield from _uncounted(key, policy)
    if isinstance(policy, BackendConfigPolicy):
        yield from (keyed(each) for each in _in_vain(key, policy.spec))
    match policy:
        case XBackendTrafficPolicy(spec=spec) if spec.session_persistence is not None:
            path = "spec.sessionPersistence"
            remedy = "Remove it, or use a Permanent cookie and an absoluteTimeout."
            _, untrue = session(key, "", spec.session_persistence)
        case BackendConfigPolicy(spec=spec) if spec.load_balancer and spec.load_balancer.zone_aware:
            path = "spec.loadBalancer.zoneAware.preferLocal.routingEnabled"
            remedy = "Write 100, or 0 for none."
            local = spec.load_balancer.zone_aware.prefer_local
            partly = local is not None and local.routing_enabled not in {0, 100}
            untrue = ("it is for all requests, as there is no part of them",) if partly else ()
        case _:
            return
    for words in untrue:
        yield keyed(Problem("SER1107", "warning", f"{path}: {words}", remedy, key, path))


def _in_vain(key: Key, spec: BackendConfigPolicySpec) -> Iterator[Problem]:
    """What Envoy takes, and does nothing about."""
    if spec.http1_protocol_options and spec.http1_protocol_options.override_stream_error:
        path = "spec.http1ProtocolOptions.overrideStreamErrorOnInvalidHttpMessage"
        message = (
            f"{path}: Envoy closes connections of HTTP/1.1 to endpoints whose answers are none"
        )
        remedy = "Remove it; http2ProtocolOptions has one that counts."
        yield Problem("SER1107", "warning", message, remedy, key, path)
    balancer = spec.load_balancer or LoadBalancer()
    for name, found in (("ringHash", balancer.ring_hash), ("maglev", balancer.maglev)):
        for index, each in enumerate(found.hash_policies if found else ()):
            if each.cookie and each.cookie.http_only is False:
                path = f"spec.loadBalancer.{name}.hashPolicies[{index}].cookie.httpOnly"
                message = f"{path}: scripts cannot read a cookie that Envoy makes"
                yield Problem("SER1107", "warning", message, "Remove it.", key, path)


def _uncounted(key: Key, policy: XBackendTrafficPolicy) -> Iterator[tuple[ProblemKey, Problem]]:
    """Times over which a retry budget is to count, where somebody wrote others than usual."""
    asked, usual = policy.spec.retry_constraint, RetryConstraint()
    if asked is None:
        return
    for field, given, default in (
        ("budget", asked.budget.interval, usual.budget.interval),
        ("minRetryRate", asked.min_retry_rate.interval, usual.min_retry_rate.interval),
    ):
        if given != default:
            path = f"spec.retryConstraint.{field}.interval"
            message = f"{path}: Envoy counts what is under way, not over {given}"
            yield keyed(Problem("SER1107", "warning", message, "Remove it.", key, path))


def _refusals(reader: Reader, done: Applied, key: Key) -> Iterator[tuple[ProblemKey, Problem]]:
    """Each path once: where many clusters are refused alike, one of them speaks for all."""
    told = {each.path: each for each in done.refusals(reader, key)}
    for path, each in told.items():
        message = f"{path}: {each.message}. Nothing is sent to what it applies to until then"
        yield keyed(Problem("SER1102", "error", message, "Correct it.", key, path))
