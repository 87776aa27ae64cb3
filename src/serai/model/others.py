"""Other clusters: what each tells of its services, and how that joins what is here.

Another cluster's objects are never among ours: each cluster has a catalog of its own
(`model.other_catalog`), and only what comes out of it is joined, by namespace, host and port.  So
objects of one name never meet, and a cluster that is slow, broken or gone costs nobody anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from serai.api import core
from serai.api.core import Namespace
from serai.api.meta import Key
from serai.incremental import Derived, Graph, Index, Node, Reader, mapped
from serai.ir.cluster import Endpoint
from serai.ir.origin import Value
from serai.model.hosts import MERGEABLE
from serai.model.protocol import Protocol
from serai.model.service import Backend, BackendKey, Resolution, Service, ServicePort
from serai.model.settings import Settings

GLOBAL = "istio.io/global"
"""The label of a Service, ServiceEntry or Namespace that is one in all clusters."""

_ANY = "any"
_OWN_NAMESPACE = "kube-system"
_OWN_SERVICE = ("default", "kubernetes")
"""What every cluster has for itself.  Istio: clusterLocal."""


class OtherKey(NamedTuple):
    """A backend of another cluster."""

    cluster: str
    backend: BackendKey


class OtherService(NamedTuple):
    """A Service of another cluster."""

    cluster: str
    service: Key


class OtherGateway(NamedTuple):
    """A Gateway of another cluster."""

    cluster: str
    gateway: Key


class OtherBackend(Value, frozen=True):
    """One port of one host of a service, as another cluster has it."""

    resolution: Resolution
    endpoints: tuple[Endpoint, ...]
    """Those that are not ready, too."""


class Meeting(NamedTuple):
    """Where backends of several clusters meet."""

    kind: str
    namespace: str
    host: str
    port: int
    udp: bool


def meeting(key: BackendKey) -> Meeting:
    """Where a backend meets those of other clusters: objects of one kind, namespace and host."""
    return Meeting(key.service.kind, key.service.namespace, key.host, key.port, key.udp)


def is_shared(service: Service, namespace: str | None, settings: Settings) -> bool:
    """Whether a service is one with those of its namespace and host in other clusters.

    `namespace` is what its Namespace says, by that label; None: nothing.
    """
    written = dict(service.labels).get(GLOBAL, namespace)
    if written is not None:
        return written.lower() == "true"
    own = service.key.namespace == _OWN_NAMESPACE
    own = own or (service.key.namespace, service.key.name) == _OWN_SERVICE
    return settings.shared_services == "all" and not own


def service_elsewhere(services: Iterable[Service]) -> Service:
    """A Service that only other clusters have, as it is known here.

    It has all their ports, and none of their addresses, which may be somebody else's here.
    """
    listed = list(services)
    ports: dict[tuple[int, bool], ServicePort] = {}
    for each in listed:
        for port in each.ports:
            ports.setdefault((port.number, port.protocol is Protocol.UDP), port)
    return replace(listed[0], addresses=(), ports=tuple(ports.values()))


class Others:
    """What other clusters have, found by what is here."""

    def __init__(
        self,
        graph: Graph,
        backends: Node[OtherKey, OtherBackend],
        shared: Node[Key, bool],
    ) -> None:
        """`shared` are the services here that are one in all clusters."""
        self._backends = backends
        self._shared = shared
        self._meeting: Index[Meeting, OtherKey] = Index(
            graph, "meetings of clusters", backends, lambda key, _: (meeting(key.backend),)
        )
        together: Index[str, OtherKey] = Index(
            graph, "backends of other clusters", backends, lambda _, __: (_ANY,)
        )
        self._any = mapped(graph, "whether clusters meet", together, lambda _, __, ___: True)

    def endpoints(self, reader: Reader, backend: Backend) -> Iterator[Endpoint]:
        """What they add to a backend; only what becomes known in the same way can be joined."""
        if not reader.get(self._any, _ANY):
            return  # as mostly; else each backend would have what it looks for here remembered
        found = reader.rows(self._meeting, meeting(backend.key), self._backends)
        if not found or not reader.get(self._shared, backend.key.service):
            return
        for _, each in found:
            if each.resolution is backend.resolution and each.resolution in MERGEABLE:
                yield from each.endpoints


def sharing(
    graph: Graph,
    services: Node[Key, Service],
    namespaces: Node[Key, Namespace],
    settings: Settings,
) -> Derived[Key, bool]:
    """The services that are one with those of other clusters."""
    # Else another label of a Namespace would have all services of it looked at.
    said = mapped(
        graph, "what Namespaces share", namespaces, lambda *at: at[2].metadata.labels.get(GLOBAL)
    )

    def shared(reader: Reader, key: Key, service: Service) -> bool | None:
        namespace = reader.get(said, Key("Namespace", "", key.namespace))
        return is_shared(service, namespace, settings) or None

    return mapped(graph, "shared services", services, shared)


def services_elsewhere(
    graph: Graph, theirs: Node[OtherService, Service], ours: Node[Key, core.Service]
) -> Derived[Key, Service]:
    """The Services that only other clusters have.  Istio: they are the mesh's here too."""
    by_key: Index[Key, OtherService] = Index(
        graph, "services by other clusters", theirs, lambda key, _: (key.service,)
    )

    def service(reader: Reader, key: Key, having: Sequence[OtherService]) -> Service | None:
        if reader.get(ours, key) is not None:
            return None
        found = (reader.get(theirs, each) for each in having)
        return service_elsewhere(each for each in found if each is not None)

    return mapped(graph, "services of other clusters", by_key, service)
