"""ServiceEntry -> model.Service."""

from __future__ import annotations

from functools import lru_cache

from msgspec.structs import replace

from serai.api.meta import Key
from serai.api.networking import ALLOCATE, ServiceEntry, ServiceEntryPort, WorkloadEntrySpec
from serai.ir.cluster import Locality
from serai.ir.distribution import NETWORK
from serai.model import locality, protocol
from serai.model.addresses import canonical, is_socket
from serai.model.distribution import Wish, distribution
from serai.model.service import (
    MOST_KEPT,
    Address,
    Inline,
    InlineEndpoint,
    Resolution,
    Selected,
    Service,
    ServicePort,
    Written,
)
from serai.model.vips import Claim, Vips
from serai.model.waypoint_labels import ingress_by_waypoint, waypoint_labels
from serai.model.workload import labelled, takes_hbone

_RESOLUTIONS = {"STATIC": Resolution.KNOWN}
_SELECTING = {"STATIC", "DNS", "DNS_ROUND_ROBIN"}
"""Resolutions with which a workloadSelector finds endpoints."""


def claim_of_serviceentry(key: Key, entry: ServiceEntry) -> Claim:
    """What a ServiceEntry wants: VIPs for its hosts where Istio would allocate them.

    A wildcard can only be resolved by whoever allocated for it, so it is by DYNAMIC_DNS alone.
    """
    meta, spec = entry.metadata, entry.spec
    written = _canonical(spec.addresses)
    barred = meta.labels.get(ALLOCATE, "").lower() == "false"
    eligible = spec.resolution != "NONE" and not barred and not spec.addresses
    hosts = (host for host in _hosts(entry) if "*" not in host or spec.resolution == "DYNAMIC_DNS")
    given = ((canonical(each.value), each.host.lower()) for each in entry.status.addresses)
    return Claim(
        key=key,
        created=meta.creation_timestamp or "",
        hosts=tuple(hosts) if eligible else (),
        given=tuple(Address(cidr, host) for cidr, host in dict.fromkeys(given) if cidr),
        written=written,
    )


def service_from_serviceentry(
    key: Key, entry: ServiceEntry, vips: Vips | None = None, namespace: Wish | None = None
) -> Service:
    """A ServiceEntry as the mesh sees it, with the VIPs that were allocated to it.

    `namespace` is the traffic distribution that its Namespace asks for.
    """
    meta, spec = entry.metadata, entry.spec
    selector = spec.workload_selector
    given = Written() if spec.endpoints else Inline()
    return Service(
        key=key,
        hosts=_hosts(entry),
        addresses=_addresses(entry, vips),
        ports=_ports(spec.ports),
        resolution=_RESOLUTIONS.get(spec.resolution) or Resolution(spec.resolution),
        members=(
            Selected(labelled(selector.labels))
            if selector is not None and spec.resolution in _SELECTING
            else given
        ),
        labels=labelled(meta.labels),
        waypoint=waypoint_labels(meta.labels, meta.annotations),
        ingress_by_waypoint=ingress_by_waypoint(meta.labels),
        created=meta.creation_timestamp or "",
        exported_to=spec.export_to or ("*",),
        distribution=distribution("", meta.annotations, namespace),
        subject_alt_names=spec.subject_alt_names,
    )


def endpoints_in_serviceentry(entry: ServiceEntry) -> tuple[InlineEndpoint, ...]:
    """The endpoints that a ServiceEntry gives itself."""
    in_mesh = takes_hbone(entry.metadata.labels, entry.metadata.annotations)
    return tuple(_endpoint(each, in_mesh=in_mesh) for each in entry.spec.endpoints)


def _hosts(entry: ServiceEntry) -> tuple[str, ...]:
    return tuple(dict.fromkeys(host.lower() for host in entry.spec.hosts))


def _addresses(entry: ServiceEntry, vips: Vips | None) -> tuple[Address, ...]:
    """Those of the spec; only where it has none, those that were allocated.

    Istio: automatic address allocation.
    """
    if entry.spec.addresses:
        return tuple(Address(cidr) for cidr in _canonical(entry.spec.addresses))
    return vips.addresses if vips else ()


def _canonical(texts: tuple[str, ...]) -> tuple[str, ...]:
    found = (canonical(text) for text in texts)
    return tuple(dict.fromkeys(cidr for cidr in found if cidr))


@lru_cache(MOST_KEPT)
def _ports(ports: tuple[ServiceEntryPort, ...]) -> tuple[ServicePort, ...]:
    return tuple(map(_port, ports))


@lru_cache(MOST_KEPT)
def _port(port: ServiceEntryPort) -> ServicePort:
    return ServicePort(
        number=port.number,
        name=port.name,
        protocol=protocol.of_entry_port(port.protocol, port.name, port.number),
        target=port.target_port or None,
        named_by_workload=True,
    )


def _endpoint(endpoint: WorkloadEntrySpec, *, in_mesh: bool) -> InlineEndpoint:
    written, said = endpoint.address, endpoint.labels
    found = InlineEndpoint(
        address=written if is_socket(written) else canonical(written) or written.lower(),
        ports=tuple(sorted(endpoint.ports.items())) if endpoint.ports else (),
        weight=endpoint.weight or 1,
        locality=locality.parse(endpoint.locality),
        network=endpoint.network,
        service_account=endpoint.service_account,
        in_mesh=in_mesh,
    )
    return _labelled(found, said) if said else found


def _labelled(found: InlineEndpoint, labels: dict[str, str]) -> InlineEndpoint:
    """The endpoint with what its labels say, where its fields say nothing."""
    unplaced = found.locality == Locality()
    return replace(
        found,
        locality=(locality.of_labels(labels) if unplaced else None) or found.locality,
        network=found.network or labels.get(NETWORK, ""),
        labels=labelled(labels),
        in_mesh=found.in_mesh or takes_hbone(labels, {}),
    )
