"""The policies that name a service as their target, and which of them count for a backend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from serai.api.backend_policy import BackendTLSPolicy
from serai.api.kgateway import weight
from serai.api.meta import Key
from serai.api.unread import Unread
from serai.attach.targets import GROUPS, Target, TargetReference, Targets, TargetSelector
from serai.backends.feature import Asked, Unreadable
from serai.incremental import Derived, Graph, Index, Node, Reader, Union, mapped
from serai.ir.origin import Value
from serai.model.inputs import CLUSTER_POLICIES
from serai.model.service import Backend
from serai.translate.precedence import PolicyOrder, policy_order
from serai.translate.unread import encrypts, references, selectors

TARGETED = frozenset({"Service", "ServiceEntry", "Backend", "XBackend"})
"""What such policies apply to; a Hostname means one of them."""


class Aim(Value, frozen=True):
    """What a policy applies to."""

    created: str
    generation: int
    targets: tuple[Target, ...]
    weight: int = 0

    def order(self, key: Key) -> PolicyOrder:
        """Sorts policies at one place."""
        return policy_order(self.weight, self.created, key)


class Section(NamedTuple):
    """A service, or a port or host of it, as a policy names it."""

    service: Key
    section: str
    host: str


class ClusterPolicies(msgspec.Struct, frozen=True):
    """Policies by what they apply to."""

    written: Mapping[str, Node[Key, Any]]
    """By kind."""
    aims: Node[Key, Aim]
    by_service: Index[Key, Key]
    unread: Node[Key, Unread]
    """What stands in for those that cannot be read."""

    def asked(self, reader: Reader, backend: Backend) -> Iterator[Asked]:
        """What they ask of a backend, those whose word counts first before the others.

        A policy for a port comes before one for a host, and that before one for the whole
        service; then the oldest.
        """
        found = [
            (not each.section, not each.host, aim.order(key), key)
            for key, aim in reader.rows(self.by_service, backend.key.service, self.aims)
            for each in _sections(aim, backend)
        ]
        for *_, key in sorted(found):
            row = reader.get(self.written[key.kind], key)
            if row is not None:
                yield Asked(key, "", _spec(row))
            elif reader.get(self.unread, key) is not None:
                yield Asked(key, "", Unreadable())

    def winner(self, reader: Reader, kind: str, section: Section) -> Key | None:
        """Of the policies of a kind that name just this, the one that comes first."""
        return next(iter(self._naming(reader, kind, section)), None)

    def before(self, reader: Reader, key: Key, section: Section) -> list[Key]:
        """The policies of the same kind that name just this and come before one."""
        found = self._naming(reader, key.kind, section)
        return found[: found.index(key)] if key in found else []

    def _naming(self, reader: Reader, kind: str, section: Section) -> list[Key]:
        having = [
            (aim.order(key), key)
            for key, aim in reader.rows(self.by_service, section.service, self.aims)
            if key.kind == kind and section in aimed_at(aim)
        ]
        return [key for _, key in sorted(having)]


def _spec(row: Any) -> Any:
    return row.spec.validation if isinstance(row, BackendTLSPolicy) else row.spec


def _sections(aim: Aim, backend: Backend) -> Iterator[Section]:
    names = {"", backend.port.name, str(backend.port.number)}
    for each in aimed_at(aim):
        here = each.service == backend.key.service and each.host in {"", backend.key.host}
        if here and each.section in names:
            yield each


def aimed_at(aim: Aim) -> tuple[Section, ...]:
    """Everything that a policy names and that is there, each once."""
    found = (
        Section(each.object, each.section, each.host)
        for target in aim.targets
        for each in target.keys
        if each.object.kind in TARGETED
    )
    return tuple(dict.fromkeys(found))


def cluster_policies(
    graph: Graph,
    targets: Targets,
    by_kind: Mapping[str, Node[Key, Any]],
    unread: Node[Key, Unread],
) -> ClusterPolicies:
    """The policies of these kinds among all objects by kind, and those that cannot be read."""
    written = {kind.__name__: by_kind[kind.__name__] for kind in CLUSTER_POLICIES}
    parts = tuple(_aims(graph, kind, node, targets) for kind, node in written.items())
    parts += (_unread_aims(graph, unread, targets),)
    aims: Union[Key, Aim] = Union(graph, "aims of cluster policies", parts)
    by_service: Index[Key, Key] = Index(
        graph,
        "cluster policies by service",
        aims,
        lambda _, aim: (each.service for each in aimed_at(aim)),
    )
    return ClusterPolicies(written, aims, by_service, unread)


def _aims(graph: Graph, kind: str, node: Node[Key, Any], targets: Targets) -> Derived[Key, Aim]:
    def aim(reader: Reader, key: Key, row: Any) -> Aim:
        spec, meta = row.spec, row.metadata
        references = tuple(_references(spec.target_refs))
        selectors = tuple(_selectors(getattr(spec, "target_selectors", ())))
        found = targets.find(reader, key, references, selectors)
        created, heavy = meta.creation_timestamp or "", weight(key.kind, meta)
        return Aim(created, meta.generation, found, heavy)

    return mapped(graph, f"aims of {kind}", node, aim)


def _unread_aims(graph: Graph, node: Node[Key, Unread], targets: Targets) -> Derived[Key, Aim]:
    """Where a policy that cannot be read may ask for TLS; if that cannot be told, everywhere."""
    everything = tuple(TargetSelector(GROUPS[kind], kind, ()) for kind in sorted(TARGETED))

    def aim(reader: Reader, key: Key, row: Unread) -> Aim | None:
        if not encrypts(row):
            return None
        named = references(row)
        if named is not None:
            found = targets.find(reader, key, named, selectors(row))
        else:
            found = tuple(each for each in targets.find(reader, key, (), everything) if each.keys)
        return Aim(row.metadata.creation_timestamp or "", row.metadata.generation, found)

    return mapped(graph, "aims of unread cluster policies", node, aim)


def _references(written: Iterable[Any]) -> Iterator[TargetReference]:
    for each in written:
        section = getattr(each, "section_name", None) or ""
        yield TargetReference(each.group, each.kind, each.name, section)


def _selectors(written: Iterable[Any]) -> Iterator[TargetSelector]:
    for each in written:
        labels = tuple(sorted(each.match_labels.items()))
        yield TargetSelector(each.group, each.kind, labels, each.section_name or "")
