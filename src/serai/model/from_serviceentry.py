"""ServiceEntry -> model.Service."""

from __future__ import annotations

from serai.api.networking import ServiceEntry, ServiceEntryPort, WorkloadEntrySpec
from serai.model import locality, protocol
from serai.model.addresses import canonical, is_socket
from serai.model.service import (
    Address,
    Inline,
    InlineEndpoint,
    Resolution,
    Selected,
    Service,
    ServicePort,
)
from serai.model.waypoint_labels import waypoint_labels
from serai.model.workload import labelled

_RESOLUTIONS = {"STATIC": Resolution.KNOWN}


def service_from_serviceentry(entry: ServiceEntry) -> Service:
    """A ServiceEntry as the mesh sees it."""
    meta, spec = entry.metadata, entry.spec
    selector = spec.workload_selector
    return Service(
        key=entry.key,
        hosts=tuple(dict.fromkeys(host.lower() for host in spec.hosts)),
        addresses=_addresses(entry),
        ports=tuple(_port(port) for port in spec.ports),
        resolution=_RESOLUTIONS.get(spec.resolution) or Resolution(spec.resolution),
        members=(
            Selected(labelled(selector.labels))
            if selector is not None and spec.resolution == "STATIC"
            else Inline(tuple(_endpoint(endpoint) for endpoint in spec.endpoints))
        ),
        labels=labelled(meta.labels),
        waypoint=waypoint_labels(meta.labels),
        created=meta.creation_timestamp or "",
        generation=meta.generation,
        exported_to=spec.export_to or ("*",),
    )


def _addresses(entry: ServiceEntry) -> tuple[Address, ...]:
    """Those of the spec; only where it has none, those that were allocated.

    Istio: automatic address allocation.
    """
    written = [canonical(text) for text in entry.spec.addresses]
    if written:
        return tuple(Address(cidr) for cidr in dict.fromkeys(written) if cidr)
    allocated = ((canonical(each.value), each.host.lower()) for each in entry.status.addresses)
    return tuple(Address(cidr, host) for cidr, host in dict.fromkeys(allocated) if cidr)


def _port(port: ServiceEntryPort) -> ServicePort:
    return ServicePort(
        number=port.number,
        name=port.name,
        protocol=protocol.of_entry_port(port.protocol, port.name, port.number),
        target=port.target_port or None,
        named_by_workload=True,
    )


def _endpoint(endpoint: WorkloadEntrySpec) -> InlineEndpoint:
    written = endpoint.address
    return InlineEndpoint(
        address=written if is_socket(written) else canonical(written) or written.lower(),
        ports=tuple(sorted(endpoint.ports.items())),
        weight=endpoint.weight or 1,
        locality=(
            locality.parse(endpoint.locality)
            if endpoint.locality
            else locality.of_labels(endpoint.labels) or locality.parse("")
        ),
        network=endpoint.network,
        service_account=endpoint.service_account,
    )
