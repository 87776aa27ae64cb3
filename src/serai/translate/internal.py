"""Listeners inside a proxy, and the clusters that lead to them."""

from __future__ import annotations

from collections.abc import Sequence

from serai.incremental import Derived, Graph, Index, Node, Reader, mapped
from serai.ir.cluster import Cluster, Discovery
from serai.ir.listener import Listener
from serai.translate import names
from serai.translate.collections import Named


def internal_clusters(graph: Graph, listeners: Node[Named, Listener]) -> Derived[str, Cluster]:
    """The cluster that leads to each listener inside a proxy."""
    by_name: Index[str, Named] = Index(
        graph,
        "internal listeners by name",
        listeners,
        lambda key, listener: () if listener.addresses or listener.originates else (key.name,),
    )

    def cluster(reader: Reader, name: str, leading: Sequence[Named]) -> Cluster | None:
        listener = reader.get(listeners, leading[0])
        if listener is None:
            return None
        return Cluster(
            name=name,
            discovery=Discovery.INTERNAL,
            origin=listener.origin,
            alt_stat_name=names.stat_name(name),
            internal_listener=name,
            passes_state=listener.tunnelled,
            http=listener.http,
            http2=listener.http2,
        )

    return mapped(graph, "internal clusters", by_name, cluster)
