"""SER1107, SER1108: what DestinationRules say and is not, or not wholly, done."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.destination_rule import DestinationRule, TrafficPolicy
from serai.api.meta import Key
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Reader
from serai.ir.cluster import Discovery
from serai.translate import names
from serai.translate.applied import Applied
from serai.translate.collections import Attached
from serai.translate.destination_rules import is_foreign, of_strangers

_PASSING = {Discovery.ORIGINAL_DST, Discovery.INTERNAL}
"""Of clusters that send to the address that a connection came for."""


def rule_problems(graph: Graph, attached: Attached, done: Applied) -> Derived[ProblemKey, Problem]:
    """What is done otherwise than rules say, rule by rule."""

    def rows(
        reader: Reader, key: Key, rule: DestinationRule
    ) -> Iterator[tuple[ProblemKey, Problem]]:
        for here in _passes_on(rule):
            yield from _chosen(reader, done, key, here)
        if any(policy.tunnel for _, policy in _policies(rule)):
            yield from _untunnelled(reader, done, key)
        if _says_more(rule) and (where := _foreign_to(reader, attached, done, rule)):
            message = (
                f"at {where} it is a rule of neither the Gateway's namespace nor the service's, so"
                " only its outlierDetection, localityLbSetting and tcpKeepalive count"
            )
            remedy = "Write the rest in one of those namespaces, or in the root namespace."
            yield keyed(Problem("SER1108", "warning", message, remedy, key, "spec"))

    return Derived(graph, "problems of DestinationRules", attached.rules.rules, rows)


def _policies(rule: DestinationRule) -> Iterator[tuple[str, TrafficPolicy]]:
    if rule.spec.traffic_policy is not None:
        yield "spec.trafficPolicy", rule.spec.traffic_policy
    for index, each in enumerate(rule.spec.subsets):
        if each.traffic_policy is not None:
            yield f"spec.subsets[{index}].trafficPolicy", each.traffic_policy


def _passes_on(rule: DestinationRule) -> Iterator[str]:
    """Where a rule says PASSTHROUGH."""
    for path, policy in _policies(rule):
        parts = [(path, policy.load_balancer)]
        parts += [
            (f"{path}.portLevelSettings[{index}]", each.load_balancer)
            for index, each in enumerate(policy.port_level_settings)
        ]
        for where, balancer in parts:
            if balancer is not None and balancer.simple == "PASSTHROUGH":
                yield f"{where}.loadBalancer.simple"


def _chosen(
    reader: Reader, done: Applied, key: Key, here: str
) -> Iterator[tuple[ProblemKey, Problem]]:
    """Where endpoints are chosen all the same: connections came for none of them.

    Who names a headless service, and comes for no address, is not meant.
    """
    found = [each for _, each in reader.rows(done.by_policy, key, done.clusters)]
    passing = {each.name for each in found if each.discovery in _PASSING}
    chosen = (each for each in found if not passing.intersection(_ways(each.name)))
    cluster = next(chosen, None)
    if cluster is not None:
        message = (
            f"{here} is PASSTHROUGH, which is not done for {cluster.name}: callers are going to"
            " the address of the service, not to that of an endpoint. It is as if not written"
        )
        remedy = "Remove it; for callers that resolve names themselves use resolution NONE."
        yield keyed(Problem("SER1107", "warning", message, remedy, key, here))


def _ways(cluster: str) -> tuple[str, ...]:
    return cluster, names.addressed(cluster), names.tunnelled(cluster)


def _untunnelled(reader: Reader, done: Applied, key: Key) -> Iterator[tuple[ProblemKey, Problem]]:
    """Istio: a tunnel is for TCP and TLS, and not for HTTP."""
    found = (each for _, each in reader.rows(done.by_policy, key, done.clusters) if each.http)
    cluster = next(found, None)
    if cluster is not None:
        path = "spec.trafficPolicy.tunnel"
        message = f"{path} is for bytes: requests to {cluster.name} are sent as they are"
        remedy = "Give the port protocol TCP or TLS."
        yield keyed(Problem("SER1107", "warning", message, remedy, key, path))


def _says_more(rule: DestinationRule) -> bool:
    written = [policy for _, policy in _policies(rule)]
    return bool(rule.spec.subsets) or any(of_strangers(each) != each for each in written)


def _foreign_to(reader: Reader, attached: Attached, done: Applied, rule: DestinationRule) -> str:
    """A Gateway where the rule is a stranger's."""
    for key in reader.members(done.by_policy, rule.key):
        cluster = reader.get(done.clusters, key)
        service = cluster.origin.key.namespace if cluster else ""
        if is_foreign(rule.key, key.namespace, service, attached.settings.root_namespace):
            proxies = reader.members(done.used, key)
            return proxies[0].proxy.namespaced_name if proxies else ""
    return ""
