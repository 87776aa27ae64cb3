"""SER1107, SER1108: what DestinationRules say and is not, or not wholly, done."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.destination_rule import DestinationRule, TrafficPolicy
from serai.api.meta import Key
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Reader
from serai.translate.applied import Applied
from serai.translate.collections import Attached
from serai.translate.destination_rules import is_foreign, of_strangers


def rule_problems(graph: Graph, attached: Attached, done: Applied) -> Derived[ProblemKey, Problem]:
    """What is done otherwise than rules say, rule by rule."""

    def rows(
        reader: Reader, key: Key, rule: DestinationRule
    ) -> Iterator[tuple[ProblemKey, Problem]]:
        for path, policy in _policies(rule):
            yield from (keyed(each) for each in _otherwise(key, path, policy))
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


def _otherwise(key: Key, path: str, policy: TrafficPolicy) -> Iterator[Problem]:
    parts = [(path, policy.load_balancer)]
    parts += [
        (f"{path}.portLevelSettings[{index}]", each.load_balancer)
        for index, each in enumerate(policy.port_level_settings)
    ]
    for where, balancer in parts:
        if balancer is not None and balancer.simple == "PASSTHROUGH":
            here = f"{where}.loadBalancer.simple"
            message = (
                f"{here} is PASSTHROUGH, which is not done: callers were going to the address of"
                " the service, not to that of an endpoint. It is as if it were not written"
            )
            remedy = "Remove it; for callers that resolve names themselves use resolution NONE."
            yield Problem("SER1107", "warning", message, remedy, key, here)


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
            return f"{proxies[0].proxy.namespace}/{proxies[0].proxy.name}" if proxies else ""
    return ""
