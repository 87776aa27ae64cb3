"""Listener policies -> the settings that are in force on each listener.

Field by field the most specific policy wins: of a listener by its name, then of its Gateway or
ListenerSet as a whole, then, for listeners of a ListenerSet, of the Gateway; at one place the
oldest, then by name.  What a policy says of a port takes the place of all that it says by default.

kgateway: ListenerPolicy.spec.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from serai.api.kgateway import weight
from serai.api.listener_policy import HTTPListenerPolicy, ListenerConfig, ListenerPolicy
from serai.api.meta import Key
from serai.api.unread import Unread
from serai.attach.listeners import ListenerState
from serai.attach.targets import Target, TargetKey, Targets, around
from serai.attach.verdict import refused
from serai.incremental import Derived, Graph, Index, Node, Reader, Union, mapped
from serai.ir.leaf import Leaf
from serai.ir.origin import Origin, Value
from serai.listener_policies import BY_FIELD, SETTINGS
from serai.listener_policies.client_certificates import CLIENT_CERTIFICATES, Trusted
from serai.policies.feature import Context, Fault
from serai.policies.kinds import references, selectors
from serai.translate import unread
from serai.translate.firsts import Firsts, before, firsts
from serai.translate.policies import Looks, context
from serai.translate.precedence import PolicyOrder, policy_order

TARGETED = ("Gateway", "ListenerSet")


class PortSettings(Value, frozen=True):
    """What one policy says of a port, or (0) of all others."""

    port: int
    leaves: tuple[Leaf, ...]


class CompiledListenerPolicy(Value, frozen=True):
    """A listener policy: what it applies to, and what it comes to there."""

    key: Key
    created: str
    generation: int
    targets: tuple[Target, ...]
    ports: tuple[PortSettings, ...]
    faults: tuple[Fault, ...] = ()
    weight: int = 0

    @property
    def order(self) -> PolicyOrder:
        """Sorts policies at one place."""
        return policy_order(self.weight, self.created, self.key)

    def at_port(self, port: int) -> tuple[Leaf, ...]:
        """What it says of a port."""
        found = {each.port: each.leaves for each in self.ports}
        return found.get(port, found.get(0, ()))


def listener_policies(
    graph: Graph,
    tables: Mapping[str, Node[Key, Any]],
    unreadable: Node[Key, Unread],
    targets: Targets,
    looks: Looks,
) -> ListenerPolicies:
    """Every listener policy, compiled once, and found by what it applies to."""
    kinds = (ListenerPolicy.__name__, HTTPListenerPolicy.__name__)
    parts = [_of_kind(graph, kind, tables[kind], targets, looks) for kind in kinds]
    parts.append(_unread(graph, unreadable, targets))
    compiled = Union(graph, "compiled listener policies", tuple(parts))
    on: Index[Key, Key] = Index(
        graph,
        "listener policies on object",
        compiled,
        lambda _, policy: (key.object for target in policy.targets for key in target.keys),
    )
    return ListenerPolicies(compiled, on, firsts(graph, "listener policies", compiled, _fields))


def _fields(policy: CompiledListenerPolicy) -> Iterator[tuple[int, str]]:
    return ((each.port, leaf.feature) for each in policy.ports for leaf in each.leaves)


def _of_kind(
    graph: Graph, kind: str, node: Node[Key, Any], targets: Targets, looks: Looks
) -> Derived[Key, CompiledListenerPolicy]:
    def compiled(reader: Reader, key: Key, row: Any) -> CompiledListenerPolicy:
        asking = context(reader, looks, key)
        faults: list[Fault] = []
        ports = [
            PortSettings(port, tuple(_leaves(asking, path, config, faults)))
            for port, path, config in _written(row)
        ]
        spec = row.spec
        found = targets.find(
            reader, key, references(spec.target_refs), selectors(spec.target_selectors)
        )
        return CompiledListenerPolicy(
            key=key,
            created=row.metadata.creation_timestamp or "",
            generation=row.metadata.generation,
            targets=tuple(map(_targetable, found)),
            ports=tuple(ports),
            faults=tuple(faults),
            weight=weight(key.kind, row.metadata),
        )

    return mapped(graph, f"compiled {kind}", node, compiled)


def _unread(
    graph: Graph, node: Node[Key, Unread], targets: Targets
) -> Derived[Key, CompiledListenerPolicy]:
    """Policies that cannot be read: where they may check clients, nobody is let in."""
    field = CLIENT_CERTIFICATES.field

    def closed(reader: Reader, key: Key, row: Unread) -> CompiledListenerPolicy | None:
        asked = tuple(_checking(row)) if key.kind == ListenerPolicy.__name__ else ()
        if not asked:
            return None
        named = unread.references(row)
        found = (
            (targets.everything(key),)
            if named is None
            else targets.find(reader, key, named, unread.selectors(row))
        )
        ports = {
            port: PortSettings(port, (Leaf(field, Trusted(""), Origin(key, path)),))
            for port, path in asked
        }
        faults = tuple(replace(unread.UNREADABLE, path=f"{path}.{field}") for _, path in asked)
        return CompiledListenerPolicy(
            key=key,
            created=row.metadata.creation_timestamp or "",
            generation=row.metadata.generation,
            targets=tuple(map(_targetable, found)),
            ports=tuple(ports.values()),
            faults=faults,
        )

    return mapped(graph, "compiled unread listener policies", node, closed)


def _checking(row: Unread) -> Iterator[tuple[int, str]]:
    """The ports (0 for all) whose clients a policy may check, and where it says so."""
    spec = row.spec
    default = {CLIENT_CERTIFICATES.field: {}} if spec is None else spec.get("default", {})
    per_port = spec.get("perPort", []) if spec else []
    if not isinstance(default, Mapping) or CLIENT_CERTIFICATES.field in default:
        yield 0, "spec.default"
    for index, each in enumerate(per_port if isinstance(per_port, list) else [per_port]):
        config = each.get("listener", {}) if isinstance(each, Mapping) else None
        if not isinstance(config, Mapping) or CLIENT_CERTIFICATES.field in config:
            port = each.get("port") if isinstance(each, Mapping) else None
            yield port if isinstance(port, int) else 0, f"spec.perPort[{index}].listener"


def _written(row: ListenerPolicy | HTTPListenerPolicy) -> Iterator[tuple[int, str, ListenerConfig]]:
    """Port (0 for all), path, and what is written there."""
    if isinstance(row, HTTPListenerPolicy):
        yield 0, "spec", ListenerConfig(http_settings=row.spec)
        return
    if row.spec.default is not None:
        yield 0, "spec.default", row.spec.default
    for index, each in enumerate(row.spec.per_port):
        yield each.port, f"spec.perPort[{index}].listener", each.listener


def _leaves(
    asking: Context, path: str, config: ListenerConfig, faults: list[Fault]
) -> Iterator[Leaf]:
    inside = f"{path}.httpSettings" if path != "spec" else path
    for setting in SETTINGS:
        holder = config.http_settings if setting.http else config
        written = getattr(holder, setting.attribute, None)
        if written is None:
            continue
        here = f"{inside if setting.http else path}.{setting.field}"
        found = setting.compile(asking, written)
        if isinstance(found, Fault):
            faults.append(_below(here, found))
            continue
        faults += [_below(here, each) for each in found.faults]
        yield Leaf(setting.field, found.value, Origin(asking.policy, here), found.clusters)


def _below(path: str, fault: Fault) -> Fault:
    joined = f"{path}{fault.path}" if fault.path.startswith("[") else f"{path}.{fault.path}"
    return replace(fault, path=joined.rstrip("."))


def _targetable(target: Target) -> Target:
    if target.verdict.ok and any(key.object.kind not in {*TARGETED, ""} for key in target.keys):
        words = f"{target.asked} has no listeners; name a Gateway or a ListenerSet"
        return Target(target.asked, refused("Invalid", words))
    return target


class ListenerPolicies(msgspec.Struct, frozen=True):
    """Which settings apply where."""

    compiled: Node[Key, CompiledListenerPolicy]
    on: Index[Key, Key]
    firsts: Firsts

    def of_listeners(self, reader: Reader, states: Iterable[ListenerState]) -> tuple[Leaf, ...]:
        """The settings in force on the listeners of a port that Envoy cannot tell apart."""
        found: list[Leaf] = []
        listed = list(states)
        for state in listed:
            found += self._at(reader, state.key.parent, state, section=True)
        for state in listed:
            found += self._at(reader, state.key.parent, state)
            if state.key.parent != state.gateway:
                found += self._at(reader, state.gateway, state)
        return _first(found)

    def of_waypoint(
        self, reader: Reader, gateway: Key, listeners: Iterable[Any]
    ) -> tuple[Leaf, ...]:
        """The settings in force on all that a waypoint captures."""
        found: list[tuple[bool, CompiledListenerPolicy]] = []
        names = {each.name: each.port for each in listeners}
        for policy, sections in self._on(reader, gateway):
            if "" in sections or sections & set(names):
                found.append(("" in sections, policy))
        found.sort(key=lambda each: (each[0], each[1].order))
        ports = tuple(dict.fromkeys(names.values())) or (0,)
        leaves = [leaf for _, policy in found for leaf in policy.at_port(ports[0])]
        return tuple(each for each in _first(leaves) if not BY_FIELD[each.feature].at_gateways)

    def _at(
        self, reader: Reader, place: Key, state: ListenerState, *, section: bool = False
    ) -> list[Leaf]:
        wanted = state.key.name if section else ""
        found = [policy for policy, sections in self._on(reader, place) if wanted in sections]
        found.sort(key=lambda each: each.order)
        return [leaf for policy in found for leaf in policy.at_port(state.listener.port)]

    def _on(self, reader: Reader, place: Key) -> Iterator[tuple[CompiledListenerPolicy, set[str]]]:
        """The policies on an object or on all that is around it, and the sections they name."""
        for each in (place, around(place)):
            for _, policy in reader.rows(self.on, each, self.compiled):
                yield policy, {key.section for key in _keys(policy, each)}

    def rivals(
        self, reader: Reader, policy: CompiledListenerPolicy, at: TargetKey
    ) -> dict[tuple[int, str], Key]:
        """The fields (by port) that older policies at the very same place have, and which."""
        return dict(before(reader, self.firsts, policy, at))


def of_port(found: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    """What Envoy has once for a port."""
    return tuple(each for each in found if BY_FIELD[each.feature].of_port)


def of_chain(found: tuple[Leaf, ...], *, http: bool) -> tuple[Leaf, ...]:
    """What Envoy has for each filter chain; in one of `http` also how that is spoken."""
    return tuple(
        each
        for each in found
        if not BY_FIELD[each.feature].of_port and (http or not BY_FIELD[each.feature].http)
    )


def _keys(policy: CompiledListenerPolicy, place: Key) -> Iterator[TargetKey]:
    return (key for target in policy.targets for key in target.keys if key.object == place)


def _first(found: list[Leaf]) -> tuple[Leaf, ...]:
    chosen: dict[str, Leaf] = {}
    for leaf in found:
        chosen.setdefault(leaf.feature, leaf)
    return tuple(chosen[name] for name in sorted(chosen))
