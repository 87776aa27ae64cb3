"""Policies -> the leaves that are in force on each route.

Of several policies the most specific wins, feature by feature: what a filter of the backendRef or
of the rule names, then the rule, then its route, then what the route sends to, then the service or
listener that was asked, then the Gateway, then its class.  At one place a section comes before the
whole, then the older policy, then its name.  A Gateway's annotation can let its own come first.

Gateway API: policy attachment (GEP-713).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from serai.api.core import ConfigMap, Secret
from serai.api.gateway_extension import GatewayExtension
from serai.api.kgateway import weight
from serai.api.meta import Key, Object
from serai.api.unread import Unread
from serai.attach.gateways import Proxy
from serai.attach.grants import Grants
from serai.attach.targets import Target, TargetKey, Targets, around
from serai.backends import Invalid, Lookup, Reference, resolve
from serai.incremental import Derived, Graph, Index, Node, Reader, Union, mapped
from serai.ir.leaf import FailClosed, Leaf
from serai.ir.origin import Origin, Value
from serai.ir.route import Forward, Route, VirtualHost, WeightedCluster
from serai.model.issuers import Issuer
from serai.model.service import BackendKey
from serai.model.settings import Settings
from serai.policies import BY_NAME
from serai.policies.feature import BackendReference, Context, Fault, outside
from serai.policies.kinds import PolicyKind
from serai.translate.claims import by_claims
from serai.translate.closed import closed, closed_share, of_share, sent_nowhere
from serai.translate.firsts import Firsts, before, firsts, overriding
from serai.translate.precedence import PolicyOrder, first_of_each, inherited, policy_order
from serai.translate.unread import UNREADABLE, references, restrictions, selectors


class CompiledPolicy(Value, frozen=True):
    """A policy: what it applies to, and what it comes to there."""

    key: Key
    created: str
    generation: int
    targets: tuple[Target, ...]
    leaves: tuple[Leaf, ...]
    faults: tuple[Fault, ...] = ()
    """Features that cannot be used, by their whole path."""
    weight: int = 0

    @property
    def order(self) -> PolicyOrder:
        """Sorts policies at one place."""
        return policy_order(self.weight, self.created, self.key)


Granted = TypeVar("Granted", Secret, ConfigMap)


class LabelKey(NamedTuple):
    """The Secrets of a namespace that have a label."""

    namespace: str
    label: str
    value: str


def labelled(graph: Graph, secrets: Node[Key, Secret]) -> Index[LabelKey, Key]:
    """Secrets by their labels."""

    def keys(key: Key, secret: Secret) -> Iterator[LabelKey]:
        return (LabelKey(key.namespace, *each) for each in secret.metadata.labels.items())

    return Index(graph, "secrets by label", secrets, keys)


class Looks(msgspec.Struct, frozen=True):
    """Where features look things up."""

    lookup: Lookup
    clusters: Node[BackendKey, str]
    by_cluster: Index[str, BackendKey]
    """The backends that clusters are of, by what `names.cluster_of` gives."""
    parts: Index[BackendKey, BackendKey]
    """The subsets of backends."""
    grants: Grants
    secrets: Node[Key, Secret]
    labelled: Index[LabelKey, Key]
    config_maps: Node[Key, ConfigMap]
    issuers: Node[str, Issuer]
    extensions: Node[Key, GatewayExtension]
    settings: Settings


class _Context:
    """What one policy may look up."""

    def __init__(self, reader: Reader, looks: Looks, policy: Key) -> None:
        self._reader = reader
        self._looks = looks
        self.policy = policy
        self.settings = looks.settings

    def extension(self, name: str, namespace: str | None = None) -> GatewayExtension | Fault:
        key = Key("GatewayExtension", namespace or self.policy.namespace, name)
        found = self._reader.get(self._looks.extensions, key)
        return found or Fault("extensionRef", f"{key} does not exist", "ResolvedRefs")

    def cluster(self, reference: BackendReference, source: Key | None = None) -> str | Fault:
        found = resolve(
            self._reader,
            self._looks.lookup,
            Reference(
                source=source or self.policy,
                group=reference.group,
                kind=reference.kind,
                name=reference.name,
                namespace=reference.namespace,
                port=reference.port,
            ),
        )
        if isinstance(found, Invalid):
            return Fault("", found.message, found.reason)
        name = self._reader.get(self._looks.clusters, found)
        return name or Fault("", f"{found.service} cannot be called", "UnsupportedProtocol")

    def secret(
        self, name: str, namespace: str | None = None, source: Key | None = None
    ) -> Secret | Fault:
        return self._granted(self._looks.secrets, "Secret", name, namespace, source)

    def secrets(self, labels: Mapping[str, str]) -> tuple[Secret, ...]:
        having = [
            set(self._reader.members(self._looks.labelled, LabelKey(self.policy.namespace, *pair)))
            for pair in labels.items()
        ]
        common = sorted(set.intersection(*having)) if having else []
        found = (self._reader.get(self._looks.secrets, key) for key in common)
        return tuple(each for each in found if each is not None)

    def issuer(self, uri: str) -> Issuer | None:
        return self._reader.get(self._looks.issuers, uri)

    def config_map(
        self, name: str, namespace: str | None = None, source: Key | None = None
    ) -> ConfigMap | Fault:
        return self._granted(self._looks.config_maps, "ConfigMap", name, namespace, source)

    def _granted(
        self,
        node: Node[Key, Granted],
        kind: str,
        name: str,
        namespace: str | None,
        source: Key | None = None,
    ) -> Granted | Fault:
        asking = source or self.policy
        key = Key(kind, namespace or asking.namespace, name)
        if not self._looks.grants.permits(self._reader, asking, key):
            message = f"{key} is in another namespace and no ReferenceGrant there permits it"
            return Fault("", message, "RefNotPermitted")
        return self._reader.get(node, key) or Fault("", f"{key} does not exist")


def context(reader: Reader, looks: Looks, policy: Key) -> Context:
    """What a policy of another kind may look up."""
    return _Context(reader, looks, policy)


def compiled_policies(
    graph: Graph,
    kinds: Iterable[tuple[PolicyKind, Node[Key, Any]]],
    unread: Node[Key, Unread],
    targets: Targets,
    looks: Looks,
    proxies: Node[Key, Proxy],
) -> Policies:
    """Every policy, compiled once, and found by what it applies to."""
    parts = [_of_kind(graph, kind, node, targets, looks) for kind, node in kinds]
    parts.append(_unread(graph, unread, targets))
    compiled = Union(graph, "compiled policies", tuple(parts))
    on: Index[Key, Key] = Index(
        graph,
        "policies on object",
        compiled,
        lambda _, policy: (key.object for target in policy.targets for key in target.keys),
    )
    said = firsts(graph, "policies", compiled, lambda row: (each.feature for each in row.leaves))

    def whole(reader: Reader, key: Key, _: Proxy) -> tuple[Leaf, ...]:
        return tuple(found.of_listener(reader, key))

    by_gateway = mapped(graph, "policies of gateways", proxies, whole)
    found = Policies(compiled, on, said, proxies, by_gateway)
    return found


def _of_kind(
    graph: Graph, kind: PolicyKind, node: Node[Key, Object], targets: Targets, looks: Looks
) -> Derived[Key, CompiledPolicy]:
    def compiled(reader: Reader, key: Key, row: Object) -> CompiledPolicy:
        context = _Context(reader, looks, key)
        leaves: list[Leaf] = []
        faults: list[Fault] = []
        for path, name, written in kind.written(row):
            leaf = _leaf(context, path, name, written)
            if isinstance(leaf, Fault):
                faults.append(leaf)
                leaves += _in_its_place(name, leaf, Origin(key, path))
            else:
                leaves.append(leaf[0])
                faults += leaf[1]
        return CompiledPolicy(
            key=key,
            created=row.metadata.creation_timestamp or "",
            generation=row.metadata.generation,
            targets=targets.find(reader, key, kind.references(row), kind.selectors(row)),
            leaves=tuple(leaves),
            faults=tuple(faults),
            weight=weight(key.kind, row.metadata),
        )

    return mapped(graph, f"compiled {kind.struct.__name__}", node, compiled)


def _unread(
    graph: Graph, node: Node[Key, Unread], targets: Targets
) -> Derived[Key, CompiledPolicy]:
    """Policies that cannot be read: as far as they may restrict, they let nobody in."""

    def closed(reader: Reader, key: Key, row: Unread) -> CompiledPolicy | None:
        asked = tuple(restrictions(row))
        if not asked:
            return None
        named = references(row)
        return CompiledPolicy(
            key=key,
            created=row.metadata.creation_timestamp or "",
            generation=row.metadata.generation,
            targets=(
                (targets.everything(key),)
                if named is None
                else targets.find(reader, key, named, selectors(row))
            ),
            leaves=tuple(
                leaf
                for path, name in asked
                for leaf in _in_its_place(name, UNREADABLE, Origin(key, path))
            ),
            faults=tuple(replace(UNREADABLE, path=path) for path, _ in asked),
        )

    return mapped(graph, "compiled unread policies", node, closed)


def _leaf(
    context: _Context, path: str, name: str, written: Any
) -> tuple[Leaf, tuple[Fault, ...]] | Fault:
    found = outside(written) or BY_NAME[name].compile(context, written)
    if isinstance(found, Fault):
        return _below(path, found)
    leaf = Leaf(name, found.value, Origin(context.policy, path), found.clusters, found.secrets)
    return leaf, tuple(_below(path, each) for each in found.faults)


def _below(path: str, fault: Fault) -> Fault:
    return replace(fault, path=".".join(part for part in (path, fault.path) if part))


def _in_its_place(name: str, fault: Fault, origin: Origin) -> Iterator[Leaf]:
    """What must not be skipped answers by itself; anything else is left out."""
    status = fault.status or BY_NAME[name].fails_closed
    if status:
        yield Leaf(name, FailClosed(status, fault.message), origin)


class Policies(msgspec.Struct, frozen=True):
    """Which leaves apply where."""

    compiled: Node[Key, CompiledPolicy]
    on: Index[Key, Key]
    firsts: Firsts
    proxies: Node[Key, Proxy]
    by_gateway: Node[Key, tuple[Leaf, ...]]
    """What `of_gateway` gives: read for every service of a waypoint."""

    def at(
        self, reader: Reader, place: Key, sections: Iterable[str] = (), host: str = ""
    ) -> list[Leaf]:
        """The leaves of the policies on an object, or on these sections and this host of it.

        The most specific come first.
        """
        rows = reader.rows(self.on, place, self.compiled)
        rows += reader.rows(self.on, around(place), self.compiled)
        if not rows:
            return []
        found: list[tuple[tuple[int, int], PolicyOrder, CompiledPolicy]] = []
        for _, policy in rows:
            fits = [rank for key in _keys(policy, place) if (rank := _rank(key, sections, host))]
            if fits:
                found.append((min(fits), policy.order, policy))
        found.sort(key=lambda each: each[:2])
        return [leaf for _, _, policy in found for leaf in policy.leaves]

    def rivals(self, reader: Reader, policy: CompiledPolicy, at: TargetKey) -> dict[str, Key]:
        """The features that older policies at the very same place have, and which."""
        return dict(before(reader, self.firsts, policy, at))

    def overriding(self, reader: Reader, place: TargetKey) -> dict[str, Key]:
        """What policies of a Gateway, and of a listener of it, say before others, and whose."""
        gateway = place.object
        proxy = reader.get(self.proxies, gateway)
        asked = proxy.inheritance if proxy else None
        if asked is None or not asked.prefers_parent:
            return {}
        at = dict.fromkeys((TargetKey(gateway), place))
        found = (overriding(asked, reader.get(self.firsts, each) or ()) for each in at)
        return {feature: key for each in found for feature, key in each.items()}

    def of_gateway(self, reader: Reader, gateway: Key) -> tuple[Leaf, ...]:
        """The leaves on a Gateway of ours, and on its class."""
        return reader.get(self.by_gateway, gateway) or ()

    def of_listener(self, reader: Reader, gateway: Key, listener: str = "") -> list[Leaf]:
        """The leaves on a Gateway, or a listener of it, and on its class."""
        proxy = reader.get(self.proxies, gateway)
        name = proxy.class_name if proxy else ""
        found = self.at(reader, gateway, (listener,) if listener else ())
        if proxy and proxy.inheritance:
            found = list(inherited(found, proxy.inheritance))
        return [*found, *self.at(reader, Key("GatewayClass", "", name))]

    def in_force(self, reader: Reader, host: VirtualHost) -> VirtualHost:
        """A virtual host whose routes have the leaves that apply to them.

        Its own leaves are those that apply to all of its routes, the most specific first.
        """
        around = list(host.leaves)
        found = replace(
            host,
            leaves=first_of_each(around),
            routes=tuple(self._in_force(reader, route, around) for route in host.routes),
        )
        return by_claims(found)

    def _in_force(self, reader: Reader, route: Route, around: list[Leaf]) -> Route:
        inner = list(route.leaves)
        if not isinstance(route.action, Forward):
            leaves = sent_nowhere(first_of_each([*inner, *around]))
            return closed(replace(route, leaves=leaves))
        chosen = [
            of_share(each, first_of_each([*each.leaves, *inner, *sent, *around]))
            for each in route.action.clusters
            for sent in (self._sent(reader, each),)
        ]
        if all(each == chosen[0] for each in chosen):
            plain = tuple(replace(each, leaves=()) for each in route.action.clusters)
            action = replace(route.action, clusters=plain)
            return closed(replace(route, action=action, leaves=chosen[0]))
        clusters = tuple(
            closed_share(replace(each, leaves=leaves))
            for each, leaves in zip(route.action.clusters, chosen, strict=True)
        )
        action = replace(route.action, clusters=clusters)
        leaves = first_of_each([*inner, *around])
        return closed(replace(route, action=action, leaves=leaves))

    def _sent(self, reader: Reader, cluster: WeightedCluster) -> list[Leaf]:
        to = cluster.destination
        return self.at(reader, to.service, to.sections, to.host) if to else []


def _keys(policy: CompiledPolicy, place: Key) -> Iterator[TargetKey]:
    meant = (place, around(place))
    return (key for target in policy.targets for key in target.keys if key.object in meant)


def _rank(key: TargetKey, sections: Iterable[str], host: str) -> tuple[int, int] | None:
    """How specific a target is, the lower the more; None if it is another part of the object."""
    if key.section and key.section not in sections:
        return None
    if key.host and host and key.host != host:
        return None
    return (not key.section, not key.host)


def on_kinds(
    kinds: Iterable[PolicyKind], tables: Mapping[str, Node[Key, Any]]
) -> Iterator[tuple[PolicyKind, Node[Key, Any]]]:
    """Each kind of policy with the table of its objects."""
    for kind in kinds:
        yield kind, tables[kind.struct.__name__]
