"""EndpointSlice -> the endpoints of one port."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from serai.api.core import EndpointSlice
from serai.ir.cluster import Endpoint, Locality
from serai.model.addresses import canonical
from serai.model.service import ServicePort

SERVICE_NAME = "kubernetes.io/service-name"


def endpoints_from_slice(
    endpoint_slice: EndpointSlice,
    port: ServicePort,
    locality_of_node: Callable[[str], Locality | None],
) -> Iterator[Endpoint]:
    """The endpoints that a slice has for a Service's port, unready ones left out.

    `locality_of_node` gives the locality of a Node by its name, or None where it isn't known.
    """
    numbers = [each.port for each in endpoint_slice.ports if each.name == port.name and each.port]
    for endpoint in endpoint_slice.endpoints:
        if endpoint.conditions.ready is False:
            continue
        node = locality_of_node(endpoint.node_name) if endpoint.node_name else None
        locality = node or Locality(zone=endpoint.zone or "")
        for text in endpoint.addresses:
            address = canonical(text)
            if address:
                yield from (Endpoint(address, number, locality=locality) for number in numbers)
