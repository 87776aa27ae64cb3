"""EndpointSlice -> the endpoints of one port."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from serai.api.core import EndpointSlice, SliceEndpoint
from serai.api.meta import Key
from serai.ir.cluster import Endpoint, Health, Locality
from serai.model.addresses import canonical, is_range
from serai.model.locality import of_zone
from serai.model.service import ServicePort
from serai.model.workload import Workload

SERVICE_NAME = "kubernetes.io/service-name"


def endpoints_from_slice(
    endpoint_slice: EndpointSlice,
    port: ServicePort,
    locality_of_node: Callable[[str], Locality | None],
    workload: Callable[[Key], Workload | None],
) -> Iterator[Endpoint]:
    """The endpoints that a slice has for a Service's port, those on their way out left out.

    `locality_of_node` gives the locality of a Node by its name, `workload` the Pod behind an
    endpoint, or None where it isn't known.
    """
    numbers = [each.port for each in endpoint_slice.ports if each.name == port.name and each.port]
    for endpoint in endpoint_slice.endpoints:
        health = health_of(endpoint)
        if health is Health.DRAINING:
            continue
        pod = _pod(endpoint, endpoint_slice.metadata.namespace, workload)
        node = locality_of_node(endpoint.node_name) if endpoint.node_name else None
        place = node or of_zone(endpoint.zone or "")
        for address in filter(None, map(canonical, endpoint.addresses)):
            for number in numbers if not is_range(address) else ():
                yield Endpoint(
                    address,
                    number,
                    locality=pod.locality if pod and pod.locality != Locality() else place,
                    health=health,
                    identity=pod.identity if pod else "",
                    network=pod.network if pod else "",
                    node=endpoint.node_name or "",
                    labels=pod.labels if pod else (),
                    in_mesh=bool(pod and pod.in_mesh),
                )


def health_of(endpoint: SliceEndpoint) -> Health:
    """What the API server says of an endpoint.

    Where a Service publishes addresses that are not ready, they are called ready, whatever else.
    """
    conditions = endpoint.conditions
    if conditions.ready is not False:
        return Health.HEALTHY
    return Health.DRAINING if conditions.terminating else Health.UNHEALTHY


def _pod(
    endpoint: SliceEndpoint, namespace: str, workload: Callable[[Key], Workload | None]
) -> Workload | None:
    target = endpoint.target_ref
    if target is None or target.kind != "Pod":
        return None
    return workload(Key("Pod", target.namespace or namespace, target.name))
