"""Worlds of N services, half of them Services and half ServiceEntries, each captured."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.core import (
    EndpointSlice,
    Namespace,
    Service,
    ServicePort,
    ServiceSpec,
    SliceEndpoint,
    SlicePort,
)
from serai.api.gateway import Gateway, GatewaySpec, Listener
from serai.api.meta import Object, ObjectMeta
from serai.api.networking import (
    ServiceEntry,
    ServiceEntryPort,
    ServiceEntrySpec,
    WorkloadEntrySpec,
)

PORT = 8000
WAYPOINT = "bench/waypoint"


def vip(number: int) -> str:
    """The VIP of a service."""
    return f"240.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def world(
    services: int, endpoints: tuple[str, ...], port: int, proxy_port: int
) -> Iterator[Object]:
    """A waypoint and N services, each with all of the endpoints (on `port`)."""
    namespace = "bench"
    yield Namespace(ObjectMeta(namespace, labels={"istio.io/use-waypoint": "waypoint"}))
    yield Gateway(
        ObjectMeta("waypoint", namespace),
        GatewaySpec("serai-waypoint", listeners=(Listener("mesh", proxy_port, "istio.io/PROXY"),)),
    )
    for number in range(services):
        if number % 2:
            yield service_entry(number, endpoints, port)
        else:
            yield from kubernetes_service(number, endpoints, port)


def kubernetes_service(number: int, endpoints: tuple[str, ...], port: int) -> Iterator[Object]:
    """A Service and its EndpointSlice."""
    name = f"svc-{number}"
    yield Service(
        ObjectMeta(name, "bench"),
        ServiceSpec(ports=(ServicePort(PORT, "http", target_port=port),), cluster_ip=vip(number)),
    )
    yield EndpointSlice(
        ObjectMeta(f"{name}-1", "bench", labels={"kubernetes.io/service-name": name}),
        endpoints=tuple(SliceEndpoint((address,)) for address in endpoints),
        ports=(SlicePort(port, "http"),),
    )


def service_entry(number: int, endpoints: tuple[str, ...], port: int) -> ServiceEntry:
    """A ServiceEntry with inline endpoints."""
    return ServiceEntry(
        ObjectMeta(f"se-{number}", "bench"),
        ServiceEntrySpec(
            hosts=(f"se-{number}.example.com",),
            addresses=(vip(number),),
            ports=(ServiceEntryPort(PORT, "http", "HTTP", port),),
            resolution="STATIC",
            endpoints=tuple(WorkloadEntrySpec(address) for address in endpoints),
        ),
    )
