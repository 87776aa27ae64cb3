"""What the targetRefs and targetSelectors of a policy mean.  Gateway API: policy attachment.

A policy applies within its own namespace only: a reference has no namespace, and a host means one
of a service that is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from serai.api.backend_policy import EXPERIMENTAL_GROUP
from serai.api.gateway import GROUP, GatewayClass
from serai.api.kgateway import GROUP as KGATEWAY
from serai.api.meta import Key
from serai.api.networking import GROUP as ISTIO
from serai.attach.gateways import is_ours
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Derived, Graph, Index, Node, Reader, Union, mapped
from serai.ir.origin import Value
from serai.model.catalog import Catalog
from serai.model.service import MOST_KEPT, ServicePort
from serai.model.settings import Settings

HOSTNAME = "Hostname"
CLASS = "GatewayClass"
GROUPS = {
    "Gateway": GROUP,
    "ListenerSet": GROUP,
    "HTTPRoute": GROUP,
    "GRPCRoute": GROUP,
    "GatewayClass": GROUP,
    "Service": "",
    "ServiceEntry": ISTIO,
    HOSTNAME: ISTIO,
    "Backend": KGATEWAY,
    "XBackend": EXPERIMENTAL_GROUP,
}
"""The kinds that a policy can apply to, and their groups."""


class TargetReference(Value, frozen=True):
    """One of targetRefs: an object of the policy's namespace, or a section of it."""

    group: str
    kind: str
    name: str
    section: str = ""
    namespace: str = ""
    """Another than the policy's, which is refused."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}{f' {self.section}' if self.section else ''}"


class TargetSelector(Value, frozen=True):
    """One of targetSelectors: the objects of a kind, in the policy's namespace, by their labels."""

    group: str
    kind: str
    labels: tuple[tuple[str, str], ...] = ()
    section: str = ""

    def __str__(self) -> str:
        shown = ",".join(f"{name}={value}" for name, value in self.labels)
        return f"{self.kind} with {shown or 'any labels'}"


class Everything(Value, frozen=True):
    """All that a policy can apply to, where it cannot be told what it is for."""

    def __str__(self) -> str:
        return "all that it can apply to"


class TargetKey(NamedTuple):
    """What a policy applies to: an object, or a part of it."""

    object: Key
    section: str = ""
    """A listener of a Gateway, a rule of a route, a port of a service; by name."""
    host: str = ""
    """Of a service: the one host that was meant."""


def around(place: Key) -> Key:
    """The key under which policies are that apply to everything that an object is among."""
    return Key("", place.namespace, "")


class Target(Value, frozen=True):
    """What one targetRef or targetSelector came to."""

    asked: TargetReference | TargetSelector | Everything
    verdict: Verdict
    keys: tuple[TargetKey, ...] = ()


class Targetable(Value, frozen=True):
    """An object, as far as policies look at it."""

    labels: tuple[tuple[str, str], ...]
    sections: tuple[str, ...]


class LabelKey(NamedTuple):
    """The objects of a kind and namespace that have a label; no label for all of them."""

    kind: str
    namespace: str
    label: str = ""
    value: str = ""


def _of_listeners(row: Any) -> Iterator[str]:
    return (listener.name for listener in row.spec.listeners)


def _of_rules(row: Any) -> Iterator[str]:
    return (rule.name for rule in row.spec.rules if rule.name)


@lru_cache(MOST_KEPT)
def _service(labels: tuple[tuple[str, str], ...], ports: tuple[ServicePort, ...]) -> Targetable:
    """Thousands of services have the same ports, and many the same labels."""
    names = (name for port in ports for name in (port.name, str(port.number)) if name)
    return Targetable(labels, tuple(dict.fromkeys(names)))


_SECTIONS: dict[str, Callable[[Any], Iterable[str]]] = {
    "Gateway": _of_listeners,
    "ListenerSet": _of_listeners,
    "HTTPRoute": _of_rules,
    "GRPCRoute": _of_rules,
}
"""What can be named as a section of an object."""


class Targets(msgspec.Struct, frozen=True):
    """Where the targets of policies are looked up."""

    catalog: Catalog
    objects: Node[Key, Targetable]
    by_label: Index[LabelKey, Key]
    classes: Node[Key, GatewayClass]
    settings: Settings

    def find(
        self,
        reader: Reader,
        policy: Key,
        references: Iterable[TargetReference],
        selectors: Iterable[TargetSelector] = (),
    ) -> tuple[Target, ...]:
        """What each reference and selector of a policy means, in their order."""
        named = (self._refer(reader, policy, each) for each in references)
        selected = (self._select(reader, policy, each) for each in selectors)
        return (*named, *selected)

    def everything(self, policy: Key) -> Target:
        """All that a policy can apply to: its namespace, and from the root namespace classes too.

        It has a key for the whole of it, which `around` finds.
        """
        root = policy.namespace == self.settings.root_namespace
        scopes = (policy.namespace, "") if root else (policy.namespace,)
        keys = tuple(TargetKey(Key("", namespace, "")) for namespace in scopes)
        return Target(Everything(), ACCEPTED, keys)

    def _refer(self, reader: Reader, policy: Key, asked: TargetReference) -> Target:
        wrong = _wrong_kind(asked.group, asked.kind)
        if wrong:
            return Target(asked, refused("Invalid", wrong))
        if asked.namespace:
            message = f"{asked.kind} {asked.namespace}/{asked.name} is in another namespace"
            return Target(asked, refused("TargetNotFound", message))
        if asked.kind == CLASS:
            return self._refer_class(reader, policy, asked)
        if asked.kind == HOSTNAME:
            return self._refer_host(reader, policy, asked)
        key = Key(asked.kind, policy.namespace, asked.name)
        found = reader.get(self.objects, key)
        if found is None:
            return Target(asked, refused("TargetNotFound", f"{key} does not exist"))
        if asked.section and asked.section not in found.sections:
            known = ", ".join(found.sections) or "none"
            message = f"{key} has no section {asked.section}; it has: {known}"
            return Target(asked, refused("TargetNotFound", message))
        return Target(asked, ACCEPTED, (TargetKey(key, asked.section),))

    def _refer_class(self, reader: Reader, policy: Key, asked: TargetReference) -> Target:
        """A class, which only policies of the root namespace can name, as they are for all."""
        root = self.settings.root_namespace
        key = Key(CLASS, "", asked.name)
        if policy.namespace != root:
            message = f"only policies of namespace {root} can apply to a {CLASS}"
            return Target(asked, refused("TargetNotFound", message))
        if not is_ours(asked.name, reader.get(self.classes, key), self.settings):
            return Target(asked, refused("TargetNotFound", f"{key} is no class of ours"))
        return Target(asked, ACCEPTED, (TargetKey(key),))

    def _refer_host(self, reader: Reader, policy: Key, asked: TargetReference) -> Target:
        host = asked.name.lower()
        owners = self.catalog.owners(
            reader, host, policy.namespace, lambda owner: owner.key.namespace == policy.namespace
        )
        if not owners.services:
            where = f"; {owners.hidden[0].key} has it" if owners.hidden else ""
            message = f"no Service or ServiceEntry of namespace {policy.namespace} has host {host}"
            return Target(asked, refused("TargetNotFound", message + where))
        keys = tuple(
            TargetKey(
                owner.key,
                asked.section,
                owners.pattern if owners.pattern in owner.hosts else owner.hosts[0],
            )
            for owner in owners.services
        )
        return Target(asked, ACCEPTED, keys)

    def _select(self, reader: Reader, policy: Key, asked: TargetSelector) -> Target:
        wrong = _wrong_kind(asked.group, asked.kind)
        if wrong or asked.kind == HOSTNAME:
            message = wrong or "a Hostname has no labels; name it in targetRefs"
            return Target(asked, refused("Invalid", message))
        first = asked.labels[0] if asked.labels else ("", "")
        rows = reader.rows(
            self.by_label, LabelKey(asked.kind, policy.namespace, *first), self.objects
        )
        keys = tuple(
            TargetKey(key, asked.section)
            for key, row in rows
            if set(asked.labels) <= set(row.labels)
            and (not asked.section or asked.section in row.sections)
        )
        if not keys:
            message = f"there is no {asked} in namespace {policy.namespace}"
            return Target(asked, refused("TargetNotFound", message))
        return Target(asked, ACCEPTED, keys)


def targets(
    graph: Graph,
    catalog: Catalog,
    written: Mapping[str, Node[Key, Any]],
    classes: Node[Key, GatewayClass],
    settings: Settings,
) -> Targets:
    """The lookups, over services and over other objects (by kind) as they were written."""
    parts: list[Node[Key, Targetable]] = [
        mapped(
            graph,
            "targetable services",
            catalog.services,
            lambda _, __, row: _service(row.labels, row.ports),
        )
    ]
    parts += [_targetables(graph, kind, node) for kind, node in written.items()]
    objects = Union(graph, "targetables", tuple(parts))
    by_label: Index[LabelKey, Key] = Index(graph, "targetables by label", objects, _label_keys)
    return Targets(catalog, objects, by_label, classes, settings)


def _targetables(graph: Graph, kind: str, node: Node[Key, Any]) -> Derived[Key, Targetable]:
    sections = _SECTIONS.get(kind, lambda _: ())

    def targetable(_: Reader, __: Key, row: Any) -> Targetable:
        labels = tuple(sorted(row.metadata.labels.items()))
        return Targetable(labels, tuple(dict.fromkeys(sections(row))))

    return mapped(graph, f"targetable {kind}", node, targetable)


def _label_keys(key: Key, row: Targetable) -> Iterator[LabelKey]:
    yield LabelKey(key.kind, key.namespace)
    for name, value in row.labels:
        yield LabelKey(key.kind, key.namespace, name, value)


def _wrong_kind(group: str, kind: str) -> str:
    asked = "" if group == "core" else group
    if GROUPS.get(kind) == asked:
        return ""
    known = ", ".join(GROUPS)
    return (
        f"{f'{group}/{kind}'.lstrip('/')} is not a kind that policies apply to; those are {known}"
    )
