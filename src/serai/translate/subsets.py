"""Subsets of services: endpoints that have some labels, as a cluster of their own.

Which labels those are, a DestinationRule says; and which rule counts differs by proxy.  So here
there are only names: what routes can refer to.  Istio: DestinationRule.subsets.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from serai.incremental import Derived, Graph, Index, Node, Reader
from serai.model.catalog import Catalog
from serai.model.service import Backend, BackendKey
from serai.translate.destination_rules import DestinationRules


def subset_backends(
    graph: Graph, catalog: Catalog, rules: DestinationRules
) -> Derived[BackendKey, Backend]:
    """Each subset that any rule has of a backend."""

    def rows(
        reader: Reader, key: BackendKey, backend: Backend
    ) -> Iterator[tuple[BackendKey, Backend]]:
        service = reader.get(catalog.services, key.service)
        if service is None or not service.in_mesh:
            return
        found = (
            subset.name
            for host in rules.hosts(reader, key.host, service)
            for rule in rules.of(reader, host)
            for subset in rule.spec.subsets
        )
        for name in dict.fromkeys(found):
            part = key.part(name)
            yield part, replace(backend, key=part)

    return Derived(graph, "subsets of backends", catalog.backends, rows)


def parts_of(graph: Graph, subsets: Node[BackendKey, Backend]) -> Index[BackendKey, BackendKey]:
    """The subsets of each backend."""
    return Index(graph, "parts of backends", subsets, lambda key, _: (key.whole,))
