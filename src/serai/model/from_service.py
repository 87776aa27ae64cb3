"""Kubernetes Service -> model.Service."""

from __future__ import annotations

from functools import lru_cache

from serai.api import core
from serai.api.meta import Key
from serai.model import protocol
from serai.model.addresses import canonical
from serai.model.distribution import Wish, distribution
from serai.model.service import MOST_KEPT, Address, Resolution, Service, ServicePort, Slices
from serai.model.vips import Claim, Vips
from serai.model.waypoint_labels import ingress_by_waypoint, waypoint_labels
from serai.model.workload import labelled


def claim_of_service(key: Key, service: core.Service, *, standalone: bool) -> Claim:
    """What a Service wants: a VIP where no API server is there to give it a clusterIP."""
    meta, spec = service.metadata, service.spec
    lacks = not spec.cluster_ip and not spec.cluster_ips and spec.type != "ExternalName"
    return Claim(
        key=key,
        created=meta.creation_timestamp or "",
        hosts=("",) if standalone and lacks else (),
        written=tuple(each.cidr for each in _addresses(service)),
    )


def service_from_service(
    key: Key,
    service: core.Service,
    cluster_domain: str,
    vips: Vips | None = None,
    namespace: Wish | None = None,
) -> Service:
    """A Service as the mesh sees it.  It owns its name before any ServiceEntry does.

    `namespace` is the traffic distribution that its Namespace asks for.
    """
    meta, spec = service.metadata, service.spec
    short = f"{meta.name}.{meta.namespace}.svc"
    return Service(
        key=key,
        hosts=(f"{short}.{cluster_domain}",),
        aliases=(short, f"{meta.name}.{meta.namespace}"),
        addresses=(*_addresses(service), *(vips.addresses if vips else ())),
        ports=_ports(spec.ports),
        resolution=Resolution.KNOWN,
        members=Slices(labelled(spec.selector), spec.publish_not_ready_addresses),
        labels=labelled(meta.labels),
        waypoint=waypoint_labels(meta.labels, meta.annotations),
        ingress_by_waypoint=ingress_by_waypoint(meta.labels),
        created=meta.creation_timestamp or "",
        exported_to=(".",),
        rank=0,
        distribution=distribution(spec.traffic_distribution, meta.annotations, namespace),
    )


def _addresses(service: core.Service) -> tuple[Address, ...]:
    spec = service.spec
    ingress = (entry.ip for entry in service.status.load_balancer.ingress if entry.ip)
    texts = [spec.cluster_ip or "", *spec.cluster_ips, *ingress]
    found = (canonical(text) for text in texts if text and text != "None")
    return tuple(Address(cidr) for cidr in dict.fromkeys(found) if cidr)


@lru_cache(MOST_KEPT)
def _ports(ports: tuple[core.ServicePort, ...]) -> tuple[ServicePort, ...]:
    return tuple(map(_port, ports))


@lru_cache(MOST_KEPT)
def _port(port: core.ServicePort) -> ServicePort:
    return ServicePort(
        number=port.port,
        name=port.name,
        protocol=protocol.of_service_port(port.app_protocol, port.name, port.protocol, port.port),
        target=port.target_port,
    )
