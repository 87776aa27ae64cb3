"""From which places clients look at which clusters, as far as the place makes a difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from serai.api.meta import Key
from serai.incremental import Derived, Graph, Index, Node, Reader
from serai.ir.cluster import Cluster
from serai.ir.viewpoint import Viewpoint
from serai.model.inputs import ViewpointKey
from serai.translate.clusters import ClusterKey, Proxied
from serai.translate.localities import relevant


class Sight(NamedTuple):
    """A cluster as all see it that agree in what its distribution looks at."""

    cluster: ClusterKey
    viewpoint: Viewpoint


def viewpoints_of(
    graph: Graph, viewpoints: Node[ViewpointKey, Viewpoint]
) -> Index[Key, ViewpointKey]:
    """The places from which a proxy's clients look."""
    return Index(graph, "viewpoints of proxy", viewpoints, lambda key, _: (key.proxy,))


def sights(
    graph: Graph,
    clusters: Node[ClusterKey, Cluster],
    users: Index[ClusterKey, Proxied],
    looking: Index[Key, ViewpointKey],
) -> Derived[Sight, Viewpoint]:
    """Every sight that somebody has of a cluster; clusters without a distribution have none."""

    def rows(
        reader: Reader, chosen: ClusterKey, cluster: Cluster
    ) -> Iterator[tuple[Sight, Viewpoint]]:
        if cluster.distribution is None:
            return
        for proxied in reader.members(users, chosen):
            for key in reader.members(looking, proxied.proxy):
                seen = relevant(cluster.distribution, key.viewpoint)
                yield Sight(chosen, seen), seen

    return Derived(graph, "sights of clusters", clusters, rows)
