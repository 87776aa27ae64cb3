"""SER12: networks of other clusters that nothing leads into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Index, Node, Reader
from serai.model.networks import OWN, Networks
from serai.model.others import OtherBackend, OtherKey
from serai.model.settings import Settings


def network_problems(
    graph: Graph, backends: Node[OtherKey, OtherBackend], networks: Networks, settings: Settings
) -> Derived[ProblemKey, Problem]:
    """Networks in which other clusters have endpoints, and whose entrance is not known."""
    by_network: Index[str, OtherKey] = Index(
        graph,
        "backends elsewhere by network",
        backends,
        lambda _, row: {each.network for each in row.endpoints if each.network},
    )
    namespace = Key("Namespace", "", settings.root_namespace)

    def rows(
        reader: Reader, network: str, having: Sequence[OtherKey]
    ) -> Iterator[tuple[ProblemKey, Problem]]:
        own = reader.get(networks.own, OWN) or settings.network
        if own and network != own and not networks.found(reader, network):
            yield keyed(_closed(namespace, network, own, {each.cluster for each in having}))

    return Derived(graph, "problems of networks", by_network, rows)


def _closed(namespace: Key, network: str, own: str, clusters: set[str]) -> Problem:
    return Problem(
        code="SER1214",
        severity="warning",
        message=f"endpoints of {', '.join(sorted(clusters))} are in network {network}, we are in"
        f" {own}, and no east-west gateway of {network} is known; nothing is sent to them",
        remedy="Have a Gateway of class istio-east-west there, or one of istio-remote here, with"
        f" the label topology.istio.io/network: {network}, a listener of protocol HBONE and an"
        " address.",
        key=namespace,
        path=f"network {network}",
    )
