"""The collections of services, workloads and endpoints, wired together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from serai.api import core
from serai.api.core import EndpointSlice, Namespace, Pod
from serai.api.kgateway_backend import Backend as KgatewayBackend
from serai.api.meta import Key, Object
from serai.api.networking import ServiceEntry
from serai.incremental import Derived, Graph, Index, Node, Reader, Union, mapped, mapped_transient
from serai.ir.cluster import Endpoint, Locality
from serai.model import locality
from serai.model.distribution import Wish, wished
from serai.model.endpoints import EndpointLookup
from serai.model.from_backend import service_from_backend
from serai.model.from_endpointslice import SERVICE_NAME
from serai.model.from_pod import workload_from_pod
from serai.model.from_service import claim_of_service, service_from_service
from serai.model.from_serviceentry import (
    claim_of_serviceentry,
    endpoints_in_serviceentry,
    service_from_serviceentry,
)
from serai.model.from_workloadentry import workload_from_workloadentry
from serai.model.from_xbackend import service_from_xbackend
from serai.model.hosts import is_owned, merged_backends, patterns, ranked, siblings
from serai.model.inputs import Inputs
from serai.model.networks import Networks, Reaching, networks, own_network
from serai.model.others import Others, services_elsewhere, sharing
from serai.model.own import not_own
from serai.model.service import Backend, BackendKey, InlineEndpoint, Service, backends
from serai.model.settings import Settings
from serai.model.vips import Claim
from serai.model.workload import Workload, selector_keys


class HostOwners(msgspec.Struct, frozen=True):
    """What a host means to somebody."""

    pattern: str
    """The host as its owners have it: by its name, or the wildcard that covers it."""
    services: tuple[Service, ...]
    """The owner; after it those of its namespace that merge with it."""
    hidden: tuple[Service, ...] = ()
    """Where nobody is reachable: who has it all the same."""


class Catalog(msgspec.Struct, frozen=True):
    """Everything that traffic can be meant for or sent to."""

    services: Union[Key, Service]
    services_by_host: Index[str, Key]
    workloads: Union[Key, Workload]
    written: Node[Key, tuple[InlineEndpoint, ...]]
    """The endpoints that objects give themselves (`Written`)."""
    shared: Derived[Key, bool]
    """The services that are one with those of other clusters."""
    networks: Networks
    backends: Derived[BackendKey, Backend]
    endpoints: Derived[BackendKey, tuple[Endpoint, ...]]

    def host_owners(self, reader: Reader, host: str, namespace: str) -> list[Service]:
        """The services that have a host by just that name, in the order of `hosts.ranked`.

        Whether they are visible from there is for the caller to ask.
        """
        return ranked(self._having(reader, host), namespace)

    def owners(
        self, reader: Reader, host: str, namespace: str, reachable: Callable[[Service], bool]
    ) -> HostOwners:
        """Which services a host means to objects of a namespace, and by which name they have it.

        By its own name before by a wildcard, by a longer wildcard before by a shorter one; and
        only those that are `reachable`.  A Kubernetes Service's name is never anybody else's.
        """
        hidden: tuple[Service, ...] = ()
        for pattern in patterns(host):
            having = self._having(reader, pattern)
            listed = ranked(having, namespace)
            found = [each for each in listed if reachable(each)]
            if found:
                return HostOwners(pattern, tuple(siblings(found[0], found)))
            hidden = hidden or tuple(listed)
            if is_owned(having):
                break
        return HostOwners(host, (), hidden)

    def _having(self, reader: Reader, host: str) -> list[Service]:
        found = reader.rows(self.services_by_host, host, self.services)
        return [service for _, service in found]


CLAIMING = frozenset({"Service", "ServiceEntry"})
"""The kinds that have VIPs."""


def claim_of(key: Key, obj: Object, settings: Settings) -> Claim | None:
    """What an object wants of the ranges of VIPs, or occupies there; None if its kind has none."""
    match obj:
        case core.Service():
            return claim_of_service(key, obj, standalone=settings.standalone)
        case ServiceEntry():
            return claim_of_serviceentry(key, obj)
        case _:
            return None


def catalog(graph: Graph, inputs: Inputs, settings: Settings, *, joins: bool = True) -> Catalog:
    """Build the collections.  Kinds are told apart here and in the from_* modules, nowhere else.

    What does not join others' is another cluster's own catalog: endpoints are then told as they
    are, those that are not ready too.
    """
    services = _services(graph, inputs, settings)
    localities, workloads = _workloads(graph, inputs)
    by_host: Index[str, Key] = Index(graph, "services by host", services, _hosts_of_service)
    all_backends = _backends(graph, services, by_host)
    written = _written(graph, inputs)
    known = _networks(graph, inputs, settings)
    shared = sharing(graph, services, inputs.namespaces, settings)
    lookup = EndpointLookup(
        workloads=workloads,
        by_selector=Index(graph, "workloads by selector", workloads, selector_keys),
        slices=inputs.endpoint_slices,
        slices_of=Index(graph, "slices of service", inputs.endpoint_slices, _service_of_slice),
        written=written,
        localities=localities,
        others=Others(graph, inputs.other_backends, shared),
        reaching=Reaching(known, settings) if joins else None,
        with_unready=not joins,
    )

    def endpoints(reader: Reader, _: BackendKey, backend: Backend) -> tuple[Endpoint, ...]:
        return not_own(lookup.endpoints(reader, backend), settings)

    return Catalog(
        services=services,
        services_by_host=by_host,
        workloads=workloads,
        written=written,
        shared=shared,
        networks=known,
        backends=all_backends,
        endpoints=mapped_transient(graph, "endpoints", all_backends, endpoints),
    )


def _written(graph: Graph, inputs: Inputs) -> Derived[Key, tuple[InlineEndpoint, ...]]:
    return mapped_transient(
        graph,
        "endpoints in ServiceEntries",
        inputs.service_entries,
        lambda _, __, row: endpoints_in_serviceentry(row) or None,
    )


def _networks(graph: Graph, inputs: Inputs, settings: Settings) -> Networks:
    own = own_network(graph, inputs.namespaces, settings)
    return networks(graph, own, inputs.gateways, inputs.other_gateways)


def _services(graph: Graph, inputs: Inputs, settings: Settings) -> Union[Key, Service]:
    wishes: Derived[str, Wish] = Derived(
        graph, "traffic distributions of Namespaces", inputs.namespaces, _wish_of_namespace
    )
    from_services = mapped(
        graph,
        "services from Service",
        inputs.services,
        lambda reader, key, row: service_from_service(
            key,
            row,
            settings.cluster_domain,
            reader.get(inputs.vips, key),
            reader.get(wishes, key.namespace),
        ),
    )
    from_entries = mapped(
        graph,
        "services from ServiceEntry",
        inputs.service_entries,
        lambda reader, key, row: service_from_serviceentry(
            key, row, reader.get(inputs.vips, key), reader.get(wishes, key.namespace)
        ),
    )
    from_backends = mapped(graph, "services from Backend", inputs.backends, _from_backend(inputs))
    from_xbackends = mapped(
        graph,
        "services from XBackend",
        inputs.table("XBackend"),
        lambda _, __, row: service_from_xbackend(row),
    )
    elsewhere = services_elsewhere(graph, inputs.other_services, inputs.services)
    found = (from_services, from_entries, from_backends, from_xbackends, elsewhere)
    return Union(graph, "services", found)


def _from_backend(inputs: Inputs) -> Callable[[Reader, Key, KgatewayBackend], Service]:
    def service(reader: Reader, key: Key, row: KgatewayBackend) -> Service:
        def find(name: str) -> KgatewayBackend | None:
            return reader.get(inputs.backends, Key("Backend", key.namespace, name))

        return service_from_backend(row, find)

    return service


def _wish_of_namespace(_: Reader, key: Key, row: Namespace) -> Iterator[tuple[str, Wish]]:
    wish = wished(row.metadata.annotations)
    if wish is not None:
        yield key.name, wish


def _backends(
    graph: Graph, services: Node[Key, Service], by_host: Index[str, Key]
) -> Derived[BackendKey, Backend]:
    def rows(reader: Reader, _: Key, service: Service) -> Iterator[tuple[BackendKey, Backend]]:
        if not service.in_mesh:
            yield from ((each.key, each) for each in backends(service))
            return
        sharing = [
            (host, [each for _, each in reader.rows(by_host, host, services)])
            for host in service.hosts
        ]
        yield from ((each.key, each) for each in merged_backends(service, sharing))

    return Derived(graph, "backends", services, rows)


def _workloads(graph: Graph, inputs: Inputs) -> tuple[Derived[str, Locality], Union[Key, Workload]]:
    localities: Derived[str, Locality] = Derived(
        graph,
        "localities of nodes",
        inputs.nodes,
        lambda _, key, node: ((key.name, locality.of_node(node.metadata.labels)),),
    )

    def from_pod(reader: Reader, _: Key, pod: Pod) -> Workload:
        node = reader.get(localities, pod.spec.node_name) if pod.spec.node_name else None
        return workload_from_pod(pod, node)

    from_pods = mapped(graph, "workloads from Pod", inputs.pods, from_pod)
    from_entries = mapped(
        graph,
        "workloads from WorkloadEntry",
        inputs.workload_entries,
        lambda _, __, row: workload_from_workloadentry(row),
    )
    return localities, Union(graph, "workloads", (from_pods, from_entries))


def _hosts_of_service(_: Key, service: Service) -> tuple[str, ...]:
    return (*service.hosts, *service.aliases) if service.in_mesh else ()


def _service_of_slice(key: Key, endpoint_slice: EndpointSlice) -> tuple[Key, ...]:
    name = endpoint_slice.metadata.labels.get(SERVICE_NAME)
    return (Key("Service", key.namespace, name),) if name else ()
