"""What became of the policies for clusters: which clusters each had a part in, and who sends."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from serai.api.meta import Key
from serai.incremental import Graph, Index, Node, Reader
from serai.ir.cluster import Cluster, Refusal
from serai.translate.clusters import ClusterKey, Proxied


class Applied(msgspec.Struct, frozen=True):
    """Clusters by policy and by service, and proxies by cluster."""

    clusters: Node[ClusterKey, Cluster]
    by_policy: Index[Key, ClusterKey]
    by_service: Index[Key, ClusterKey]
    used: Index[ClusterKey, Proxied]

    def gateways(self, reader: Reader, service: Key) -> tuple[Key, ...]:
        """The Gateways whose proxies send to a service, sorted."""
        keys = reader.members(self.by_service, service)
        found = {each.proxy for key in keys for each in reader.members(self.used, key)}
        return tuple(sorted(found))

    def gateways_of_policy(self, reader: Reader, policy: Key) -> tuple[Key, ...]:
        """The Gateways whose proxies do what a policy asks, sorted."""
        keys = reader.members(self.by_policy, policy)
        found = {each.proxy for key in keys for each in reader.members(self.used, key)}
        return tuple(sorted(found))

    def refusals(self, reader: Reader, policy: Key) -> Iterator[Refusal]:
        """What a policy asks of clusters and cannot have, each once."""
        found = reader.rows(self.by_policy, policy, self.clusters)
        listed = (each for _, cluster in found for each in cluster.refusals)
        yield from dict.fromkeys(each for each in listed if each.policy == policy)


def applied(
    graph: Graph, clusters: Node[ClusterKey, Cluster], used: Index[ClusterKey, Proxied]
) -> Applied:
    """The indexes over clusters."""
    by_policy: Index[Key, ClusterKey] = Index(
        graph, "clusters by policy", clusters, lambda _, cluster: cluster.policies
    )
    by_service: Index[Key, ClusterKey] = Index(
        graph, "clusters by service", clusters, lambda _, cluster: (cluster.origin.key,)
    )
    return Applied(clusters, by_policy, by_service, used)
