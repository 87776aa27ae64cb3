"""Services and ServiceEntries alike: names, ports, the waypoint that takes them, endpoints."""

from __future__ import annotations

from serai.api.meta import Key
from serai.attach.capture import Capture
from serai.model.service import Resolution, Service, ServicePort
from serai.views.health import Endpoints, count, sources
from serai.views.members import Members
from serai.views.row import Row
from serai.views.state import State


class PortRow(Row, frozen=True):
    """A port that clients send to."""

    number: int
    name: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


class ServiceRow(Row, frozen=True):
    """A service of the mesh."""

    namespace: str
    name: str
    kind: str
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    ports: tuple[PortRow, ...]
    resolution: str
    waypoint: str
    """``namespace/name`` of the waypoint that takes its traffic; empty if none does."""
    capture: str
    """The reason in a word: WaypointAccepted, NotRequested, OptedOut, WaypointIsNotReady, ..."""
    endpoints: Endpoints
    """Of its first port."""
    endpoint_sources: tuple[str, ...]


def service_rows(state: State) -> list[ServiceRow]:
    """Every service, by namespace and name."""
    members = Members(state.pipeline)
    services = state.pipeline.attached.catalog.services
    known = (item for item in services.items() if item[1].in_mesh)
    listed = sorted(known, key=lambda item: _order(item[0]))
    return [service_row(state, members, service) for _, service in listed]


def service_row(state: State, members: Members, service: Service) -> ServiceRow:
    """One service as a row."""
    attached = state.pipeline.attached
    capture = attached.captures.row(service.key)
    endpoints = Endpoints(0, 0)
    found: tuple[str, ...] = ()
    if service.hosts and service.ports:
        key = service.backend(service.hosts[0], service.ports[0])
        backend = attached.catalog.backends.row(key)
        if backend is not None:
            listed = members.of(backend)
            endpoints, found = count(state, backend, listed), sources(listed)
    return ServiceRow(
        namespace=service.key.namespace,
        name=service.key.name,
        kind=service.key.kind,
        hosts=service.hosts,
        addresses=tuple(each.cidr for each in service.addresses),
        ports=tuple(port_row(port) for port in service.ports),
        resolution=resolution_name(service.resolution),
        waypoint=waypoint_of(capture),
        capture=capture.verdict.reason if capture else "NotRequested",
        endpoints=endpoints,
        endpoint_sources=found,
    )


def port_row(port: ServicePort) -> PortRow:
    """A port as a row."""
    return PortRow(port.number, port.name, str(port.protocol))


def resolution_name(resolution: Resolution) -> str:
    """How endpoints become known, in the words of a ServiceEntry."""
    return "STATIC" if resolution is Resolution.KNOWN else str(resolution)


def waypoint_of(capture: Capture | None) -> str:
    """``namespace/name`` of the waypoint that takes a service's traffic; empty if none does."""
    bound = capture.bound_to if capture else None
    return bound.namespaced_name if bound else ""


def _order(key: Key) -> tuple[str, str, str]:
    return (key.namespace, key.name, key.kind)
