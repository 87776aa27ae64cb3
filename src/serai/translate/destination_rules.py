"""Which DestinationRules apply to a backend, as the clients of a proxy see it.

Istio: the rules of the client's namespace come before those of the service's, and those before
the root namespace's; in a namespace the most specific host counts, and several rules for it are
one.  Where none of them has a rule, one of another namespace counts that is exported to the
client's by name, as in kgateway; of that one only what cannot do harm to who did not ask for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from serai.api.destination_rule import (
    ConnectionPool,
    DestinationRule,
    LoadBalancer,
    PortTrafficPolicy,
    Subset,
    TcpSettings,
    TrafficPolicy,
)
from serai.api.gateway import GATEWAY_NAME, Gateway
from serai.api.meta import Key
from serai.backends.feature import Asked
from serai.incremental import Graph, Index, Node, Reader, mapped
from serai.model.hosts import patterns
from serai.model.inputs import Inputs
from serai.model.service import BackendKey, Service
from serai.model.settings import Settings


class DestinationRules(msgspec.Struct, frozen=True):
    """Rules by host."""

    rules: Node[Key, DestinationRule]
    by_host: Index[str, Key]
    suffixes: Node[str, Literal[True]]
    """What hosts of rules end on, label by label; the empty one is there if there is any rule."""
    gateways: Node[Key, Gateway]
    root_namespace: str

    def applying(self, reader: Reader, host: str, service: Service, proxy: Key) -> tuple[Key, ...]:
        """The rules for a host of a service at a proxy, the first first."""
        found = (self.of(reader, each) for each in self.hosts(reader, host, service))
        named = [rules for rules in found if rules]
        if not named:
            return ()
        own = (proxy.namespace, service.key.namespace, self.root_namespace)
        for namespace in dict.fromkeys(own):
            for rules in named:
                inside = [each for each in rules if each.key.namespace == namespace]
                chosen = self._chosen(reader, inside, proxy)
                if chosen:
                    return chosen
        return self._given(reader, named, proxy)

    def hosts(self, reader: Reader, host: str, service: Service) -> Iterator[str]:
        """The hosts of rules that mean a host of a service, the most specific first; perhaps more.

        Looked for from the right, label by label, as far as rules go: mostly that is not far, and
        every look is remembered, of every service.
        """
        if reader.get(self.suffixes, "") is None:
            return
        reach = self._reach(reader, host)
        if reach == len(_plain(host)):
            yield host
        for alias in service.aliases:
            if self._reach(reader, alias) == len(alias):
                yield alias
        for each in patterns(host):
            if each != host and (each == "*" or len(_plain(each)) <= reach):
                yield each

    def _reach(self, reader: Reader, host: str) -> int:
        """The length of the longest end of a host that hosts of rules have too."""
        reach = 0
        for suffix in reversed(list(_ends(_plain(host)))):
            if reader.get(self.suffixes, suffix) is None:
                break
            reach = len(suffix)
        return reach

    def of(self, reader: Reader, host: str) -> list[DestinationRule]:
        """The rules of all namespaces for just this host."""
        return [rule for _, rule in reader.rows(self.by_host, host, self.rules)]

    def _given(
        self, reader: Reader, named: Sequence[Sequence[DestinationRule]], proxy: Key
    ) -> tuple[Key, ...]:
        """Rules of any other namespace that name the client's in exportTo.  kgateway."""
        for rules in named:
            given = [each for each in rules if proxy.namespace in each.spec.export_to]
            chosen = self._chosen(reader, given, proxy)
            if chosen:
                return chosen
        return ()

    def _chosen(
        self, reader: Reader, found: Sequence[DestinationRule], proxy: Key
    ) -> tuple[Key, ...]:
        visible = [each for each in found if _is_visible(each, proxy.namespace)]
        plain = [each for each in visible if each.spec.workload_selector is None]
        selecting = [each for each in visible if each.spec.workload_selector is not None]
        if selecting:
            labels = self._labels(reader, proxy)
            chosen = [
                each
                for each in selecting
                if each.key.namespace == proxy.namespace and _selects(each, labels)
            ]
            plain = chosen or plain
        return tuple(each.key for each in sorted(plain, key=_precedence))

    def _labels(self, reader: Reader, proxy: Key) -> Mapping[str, str]:
        gateway = reader.get(self.gateways, proxy)
        written = gateway.metadata.labels if gateway else {}
        return {**written, GATEWAY_NAME: proxy.name}

    def asked(
        self, reader: Reader, keys: Sequence[Key], backend: BackendKey, client: str
    ) -> Iterator[Asked]:
        """What rules ask of one port of a host, or of a subset of it, as one TrafficPolicy.

        `client` is the namespace of the proxy.
        """
        found = [rule for key in keys if (rule := reader.get(self.rules, key))]
        if any(self._is_foreign(rule.key, client, backend) for rule in found):
            asked = _asked_of_all(found, backend.port)
            if asked is not None:
                yield replace(asked, spec=of_strangers(asked.spec))
            return
        whole = _asked_of_all(found, backend.port)
        for asked in _asked_of_subset(found, backend):
            yield _merged(whole, asked)
        if whole is not None:
            yield replace(whole, spec=TrafficPolicy()) if backend.subset else whole

    def subset(
        self, reader: Reader, keys: Sequence[Key], backend: BackendKey, client: str
    ) -> Subset | None:
        """What a subset is to proxies of a namespace, by the first rule that has it."""
        found = (rule for key in keys if (rule := reader.get(self.rules, key)))
        own = (rule for rule in found if not self._is_foreign(rule.key, client, backend))
        return next((each for rule in own for each in _named(rule, backend.subset)), None)

    def _is_foreign(self, rule: Key, client: str, backend: BackendKey) -> bool:
        return is_foreign(rule, client, backend.service.namespace, self.root_namespace)


def destination_rules(graph: Graph, inputs: Inputs, settings: Settings) -> DestinationRules:
    """The rules, by the host they are for."""
    by_host: Index[str, Key] = Index(
        graph,
        "DestinationRules by host",
        inputs.destination_rules,
        lambda _, rule: (host_of(rule, settings.cluster_domain),),
    )
    ending: Index[str, str] = Index(
        graph,
        "hosts of DestinationRules by suffix",
        mapped(graph, "hosts of DestinationRules", by_host, lambda _, host, __: host),
        lambda host, _: ("", *_ends(_plain(host))),
    )
    return DestinationRules(
        inputs.destination_rules,
        by_host,
        mapped(graph, "suffixes of DestinationRules", ending, lambda _, __, ___: True),
        inputs.gateways,
        settings.root_namespace,
    )


def host_of(rule: DestinationRule, cluster_domain: str) -> str:
    """The host in full; a name without a dot is a Service of the rule's namespace."""
    host = rule.spec.host.lower()
    if "." in host or host == "*":
        return host
    return f"{host}.{rule.metadata.namespace}.svc.{cluster_domain}"


def of_port(policy: TrafficPolicy, number: int) -> tuple[TrafficPolicy, str]:
    """A policy as it is for a port, and where that stands in it.

    Istio: what portLevelSettings can say is theirs alone, also what they leave out.
    """
    for index, each in enumerate(policy.port_level_settings):
        if each.port.number == number:
            found = replace(
                policy,
                load_balancer=each.load_balancer,
                connection_pool=each.connection_pool,
                outlier_detection=each.outlier_detection,
                tls=each.tls,
            )
            return found, f".portLevelSettings[{index}]"
    return policy, ""


def is_foreign(rule: Key, client: str, service: str, root: str) -> bool:
    """Whether a rule is of another namespace than the client's, the service's and the root."""
    return rule.namespace not in {client, service, root}


def of_strangers(policy: TrafficPolicy) -> TrafficPolicy:
    """What a policy may say of others' services to others' clients, as in kgateway.

    Not whether TLS is spoken and whom to trust, nor limits, nor where bytes go.
    """
    return TrafficPolicy(
        load_balancer=_only_places(policy.load_balancer),
        connection_pool=_only_keepalive(policy.connection_pool),
        outlier_detection=policy.outlier_detection,
        port_level_settings=tuple(
            PortTrafficPolicy(
                port=each.port,
                load_balancer=_only_places(each.load_balancer),
                connection_pool=_only_keepalive(each.connection_pool),
                outlier_detection=each.outlier_detection,
            )
            for each in policy.port_level_settings
        ),
    )


def _only_places(balancer: LoadBalancer | None) -> LoadBalancer | None:
    setting = balancer.locality_lb_setting if balancer else None
    return LoadBalancer(locality_lb_setting=setting) if setting else None


def _only_keepalive(pool: ConnectionPool | None) -> ConnectionPool | None:
    keepalive = pool.tcp.tcp_keepalive if pool and pool.tcp else None
    return ConnectionPool(tcp=TcpSettings(tcp_keepalive=keepalive)) if keepalive else None


def _named(rule: DestinationRule, name: str) -> Iterator[Subset]:
    return (each for each in rule.spec.subsets if each.name == name)


def _asked_of_all(rules: Sequence[DestinationRule], port: int) -> Asked | None:
    """What the first rule with a trafficPolicy says.  Istio: several rules for a host are one."""
    for rule in rules:
        if rule.spec.traffic_policy is not None:
            policy, path = of_port(rule.spec.traffic_policy, port)
            return Asked(rule.key, f"spec.trafficPolicy{path}", policy)
    return None


def _asked_of_subset(rules: Sequence[DestinationRule], backend: BackendKey) -> Iterator[Asked]:
    """What the first rule that has the subset says of it."""
    for rule in rules:
        for subset in _named(rule, backend.subset) if backend.subset else ():
            policy, path = of_port(subset.traffic_policy or TrafficPolicy(), backend.port)
            where = f"spec.subsets[{rule.spec.subsets.index(subset)}].trafficPolicy{path}"
            yield Asked(rule.key, where, policy)
            return


def _merged(whole: Asked | None, part: Asked) -> Asked:
    """What a subset says, and of top-level fields that it leaves out what is said of the host.

    Istio: MergeSubsetTrafficPolicy.  Settings for the port stand in place of both.
    """
    said: TrafficPolicy = part.spec
    if whole is None or "portLevelSettings" in part.path:
        kept = TrafficPolicy() if whole is None else whole.spec
        return replace(part, spec=_filled(said, kept, ("proxy_protocol", "retry_budget", "tunnel")))
    filled = _filled(said, whole.spec, said.__struct_fields__)
    # Only TLS can be refused, and is then told where it stands.
    return replace(part, spec=filled, path=part.path if said.tls else whole.path)


def _filled(said: TrafficPolicy, other: TrafficPolicy, names: Iterable[str]) -> TrafficPolicy:
    open_ = {name: getattr(other, name) for name in names if getattr(said, name) is None}
    return replace(said, **open_)


def _plain(pattern: str) -> str:
    """What a host ends on whatever it stands for."""
    return "" if pattern == "*" else pattern.removeprefix("*.")


def _ends(host: str) -> Iterator[str]:
    """A host and what it ends on, the longest first."""
    while host:
        yield host
        _, _, host = host.partition(".")


def _is_visible(rule: DestinationRule, namespace: str) -> bool:
    """Istio: exportTo; a rule counts in its own namespace in any case but ``~``."""
    exported = rule.spec.export_to
    own = rule.metadata.namespace == namespace
    return not exported or "*" in exported or namespace in exported or (own and "." in exported)


def _selects(rule: DestinationRule, labels: Mapping[str, str]) -> bool:
    selector = rule.spec.workload_selector
    wanted = selector.match_labels if selector else {}
    return all(labels.get(name) == value for name, value in wanted.items())


def _precedence(rule: DestinationRule) -> tuple[str, str]:
    return (rule.metadata.creation_timestamp or "9999", rule.metadata.name)
