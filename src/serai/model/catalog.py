"""The collections of services, workloads and endpoints, wired together."""

from __future__ import annotations

import msgspec

from serai.api.core import EndpointSlice, Pod
from serai.api.meta import Key
from serai.incremental import Derived, Graph, Index, Reader, Union, mapped
from serai.ir.cluster import Endpoint, Locality
from serai.model import locality
from serai.model.endpoints import EndpointLookup
from serai.model.from_endpointslice import SERVICE_NAME
from serai.model.from_pod import workload_from_pod
from serai.model.from_service import service_from_service
from serai.model.from_serviceentry import service_from_serviceentry
from serai.model.from_workloadentry import workload_from_workloadentry
from serai.model.inputs import Inputs
from serai.model.service import Backend, BackendKey, Service, backends
from serai.model.settings import Settings
from serai.model.workload import Workload, selector_keys


class Catalog(msgspec.Struct, frozen=True):
    """Everything that traffic can be meant for or sent to."""

    services: Union[Key, Service]
    services_by_host: Index[str, Key]
    workloads: Union[Key, Workload]
    backends: Derived[BackendKey, Backend]
    endpoints: Derived[BackendKey, tuple[Endpoint, ...]]

    def host_owners(self, reader: Reader, host: str, namespace: str) -> list[Service]:
        """The services that have a host, the one it means to objects of a namespace first.

        A Kubernetes Service owns its name; then entries of the same namespace come before
        others; then the oldest.  Whether they are visible from there is for the caller to ask.
        """
        found = reader.rows(self.services_by_host, host, self.services)
        return sorted(
            (service for _, service in found),
            key=lambda each: (each.rank, each.key.namespace != namespace, each.precedence),
        )


def catalog(graph: Graph, inputs: Inputs, settings: Settings) -> Catalog:
    """Build the collections.  Kinds are told apart here and in the from_* modules, nowhere else."""
    services = _services(graph, inputs, settings)
    localities, workloads = _workloads(graph, inputs)
    all_backends: Derived[BackendKey, Backend] = Derived(
        graph,
        "backends",
        services,
        lambda _, __, service: ((backend.key, backend) for backend in backends(service)),
    )
    lookup = EndpointLookup(
        workloads=workloads,
        by_selector=Index(graph, "workloads by selector", workloads, selector_keys),
        slices=inputs.endpoint_slices,
        slices_of=Index(graph, "slices of service", inputs.endpoint_slices, _service_of_slice),
        localities=localities,
    )
    return Catalog(
        services=services,
        services_by_host=Index(
            graph,
            "services by host",
            services,
            lambda _, service: (*service.hosts, *service.aliases),
        ),
        workloads=workloads,
        backends=all_backends,
        endpoints=mapped(
            graph,
            "endpoints",
            all_backends,
            lambda reader, _, backend: lookup.endpoints(reader, backend),
        ),
    )


def _services(graph: Graph, inputs: Inputs, settings: Settings) -> Union[Key, Service]:
    from_services = mapped(
        graph,
        "services from Service",
        inputs.services,
        lambda _, __, row: service_from_service(row, settings.cluster_domain),
    )
    from_entries = mapped(
        graph,
        "services from ServiceEntry",
        inputs.service_entries,
        lambda _, __, row: service_from_serviceentry(row),
    )
    return Union(graph, "services", (from_services, from_entries))


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


def _service_of_slice(key: Key, endpoint_slice: EndpointSlice) -> tuple[Key, ...]:
    name = endpoint_slice.metadata.labels.get(SERVICE_NAME)
    return (Key("Service", key.namespace, name),) if name else ()
