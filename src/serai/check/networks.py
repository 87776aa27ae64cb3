"""SER12: networks that nothing leads into, or not everybody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Index, Node, Reader
from serai.ir.cluster import ClusterEndpoints
from serai.model.networks import OWN, Networks
from serai.model.others import OtherBackend, OtherKey
from serai.model.settings import Settings
from serai.translate.clusters import ClusterKey, Proxied


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


def beyond_problems(
    graph: Graph,
    endpoints: Node[ClusterKey, ClusterEndpoints],
    chosen: Node[Proxied, ClusterKey],
    users: Index[str, Proxied],
) -> Derived[ProblemKey, Problem]:
    """Gateways that send to services with endpoints in networks that they cannot enter."""
    short: Index[str, ClusterKey] = Index(
        graph,
        "clusters without what is in other networks",
        endpoints,
        lambda key, row: (key.name,) if row.beyond else (),
    )

    def rows(
        reader: Reader, name: str, having: Sequence[ClusterKey]
    ) -> Iterator[tuple[ProblemKey, Problem]]:
        for proxied in reader.members(users, name):
            key = reader.get(chosen, proxied)
            row = reader.get(endpoints, key) if key in having and key is not None else None
            if row is not None:
                yield keyed(_beyond(proxied, row))

    return Derived(graph, "problems of networks that are not entered", short, rows)


def _beyond(proxied: Proxied, row: ClusterEndpoints) -> Problem:
    service = row.origin.key
    return Problem(
        code="SER1215",
        severity="warning",
        message=f"{service} has endpoints in network {', '.join(row.beyond)} too, which only"
        " waypoints that speak HBONE send to; this Gateway uses the others",
        remedy="Have a waypoint take the service's traffic, and label it"
        ' istio.io/ingress-use-waypoint: "true"; or nothing, if the others are enough.',
        key=proxied.proxy,
        path=f"cluster {proxied.cluster}",
    )
