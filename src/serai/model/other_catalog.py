"""Another cluster's catalog: what it shares, as rows for the tables of our own."""

from __future__ import annotations

from collections.abc import Iterable, KeysView, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from serai.api.gateway import Gateway
from serai.api.meta import Key, Object
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.model.catalog import Catalog, catalog
from serai.model.inputs import Inputs
from serai.model.networks import EAST_WEST, OWN, Entrance, entrances
from serai.model.others import OtherBackend
from serai.model.service import Backend, BackendKey, Service
from serai.model.settings import Settings

KINDS = frozenset(
    {
        *("Namespace", "Node", "Pod", "Service", "EndpointSlice"),
        *("ServiceEntry", "WorkloadEntry"),
        "Gateway",
    }
)
"""What is read of another cluster.  Routes and policies are its own affair, and of Gateways all but
those by which its network is entered."""

_SERVICE = "Service"


class OtherCatalog(msgspec.Struct, frozen=True):
    """Everything that another cluster shares, in a graph of its own."""

    cluster: str
    graph: Graph
    inputs: Inputs
    backends: Node[BackendKey, OtherBackend]
    services: Node[Key, Service]
    """Its Services, which are known here even if we have none of their name."""
    gateways: Node[Key, tuple[Entrance, ...]]
    """Where its network is entered."""

    def apply(
        self, changed: Iterable[Object], removed: Iterable[Key]
    ) -> Mapping[str, KeysView[Any]]:
        """Take in objects; by the names of collections, the keys whose rows changed."""
        for obj in changed:
            self.inputs.put(obj.key, obj)
        for key in removed:
            self.inputs.drop(key)
        return self.graph.commit()


def other_catalog(cluster: str, settings: Settings) -> OtherCatalog:
    """The catalog of a cluster of this name; `settings` are ours, which all clusters share."""
    graph = Graph()
    inputs = Inputs(graph)
    known = catalog(graph, inputs, replace(settings, standalone=False), joins=False)
    return OtherCatalog(
        cluster=cluster,
        graph=graph,
        inputs=inputs,
        backends=_backends(graph, cluster, known),
        services=mapped(graph, "told services", known.services, _service(known)),
        gateways=mapped(graph, "told gateways", inputs.gateways, _entrances),
    )


def _backends(graph: Graph, cluster: str, known: Catalog) -> Derived[BackendKey, OtherBackend]:
    def told(reader: Reader, key: BackendKey, backend: Backend) -> OtherBackend | None:
        if not reader.get(known.shared, key.service):
            return None
        found = reader.get(known.endpoints, key) or ()
        network = reader.get(known.networks.own, OWN) or ""
        endpoints = tuple(
            replace(each, cluster=cluster, network=each.network or network) for each in found
        )
        return OtherBackend(backend.resolution, endpoints) if endpoints else None

    return mapped(graph, "told backends", known.backends, told)


def _entrances(_: Reader, __: Key, gateway: Gateway) -> tuple[Entrance, ...] | None:
    return tuple(entrances(gateway, EAST_WEST)) or None


def _service(known: Catalog) -> Any:
    def told(reader: Reader, key: Key, service: Service) -> Service | None:
        if key.kind != _SERVICE or not reader.get(known.shared, key):
            return None
        return service

    return told
