"""A service: names, addresses and ports, and where its endpoints come from."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from serai.api.meta import Key
from serai.api.xbackend import XBackendTls
from serai.ir.cluster import Locality
from serai.ir.distribution import Distribution
from serai.ir.origin import Value
from serai.model.protocol import Protocol

MOST_KEPT = 1_000
"""Ports of which services have the very same, in place of equal ones."""


class Resolution(StrEnum):
    """How the addresses of a service's endpoints become known."""

    KNOWN = "KNOWN"
    """They are given: inline, or by Pods, WorkloadEntries or EndpointSlices."""
    DNS = "DNS"
    """Their names are resolved; every address is an endpoint."""
    DNS_ROUND_ROBIN = "DNS_ROUND_ROBIN"
    """Their names are resolved; each connection goes to one address of the moment."""
    NONE = "NONE"
    """The caller has resolved them."""
    DYNAMIC_DNS = "DYNAMIC_DNS"
    """Each request's own host is resolved."""


class Address(Value, frozen=True):
    """A VIP or a range of them, in canonical form; for one host, or (no host) for all."""

    cidr: str
    host: str = ""


class ServicePort(Value, frozen=True):
    """A port that clients send to, and how to find the workloads' port for it."""

    number: int
    name: str
    protocol: Protocol
    target: int | str | None = None
    """The workloads' port, by number or by its name there."""
    named_by_workload: bool = False
    """Whether a workload's own port of this port's name comes before `target`."""

    @property
    def sections(self) -> tuple[str, ...]:
        """The section names by which policies mean it: its name, and its number."""
        return _sections(self.name, self.number)

    @property
    def target_number(self) -> int:
        """The workloads' port where no workload says otherwise."""
        return self.target if isinstance(self.target, int) else self.number


@lru_cache(MOST_KEPT)
def _sections(name: str, number: int) -> tuple[str, ...]:
    return (name, str(number)) if name else (str(number),)


class Slices(Value, frozen=True):
    """Endpoints from EndpointSlices; where there are none, from the Pods that a selector picks."""

    selector: tuple[tuple[str, str], ...] = ()
    with_unready: bool = False


class Selected(Value, frozen=True):
    """Endpoints from the Pods and WorkloadEntries of the namespace that a selector picks."""

    selector: tuple[tuple[str, str], ...]


class InlineEndpoint(Value, frozen=True):
    """An endpoint given in the service itself; in a DNS service its address may be a name."""

    address: str
    ports: tuple[tuple[str, int], ...] = ()
    weight: int = 1
    locality: Locality = Locality()
    network: str = ""
    """Without an address it is reachable through this network's gateway only."""
    service_account: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    in_mesh: bool = False


class Inline(Value, frozen=True):
    """Endpoints that never change alone.  None in a DNS service: each host's own name."""

    endpoints: tuple[InlineEndpoint, ...] = ()


class Written(Value, frozen=True):
    """Endpoints given in the service's object: `Catalog.written` has them.

    So that one of them that changes is no change of the service, as it is not where it is in an
    EndpointSlice.
    """


class WaypointLabels(Value, frozen=True):
    """What an object or a Namespace says of its waypoint: istio.io/use-waypoint[-namespace]."""

    name: str
    namespace: str = ""
    canary: str = ""
    """A second waypoint, which takes a share of the connections: use-waypoint-canary."""
    canary_namespace: str = ""
    canary_weight: str = ""
    """Percent, as it is written."""


class Service(Value, frozen=True):
    """A service of the mesh.  Nothing in it tells which kind of object it was made from."""

    key: Key
    hosts: tuple[str, ...]
    addresses: tuple[Address, ...]
    ports: tuple[ServicePort, ...]
    resolution: Resolution
    members: Slices | Selected | Inline | Written
    labels: tuple[tuple[str, str], ...] = ()
    waypoint: WaypointLabels | None = None
    ingress_by_waypoint: bool | None = None
    """Whether gateways, too, send through its waypoint; None: as its Namespace says."""
    created: str = ""
    exported_to: tuple[str, ...] = ("*",)
    """Namespaces that may send to it by host; `*` for all, `.` for its own."""
    aliases: tuple[str, ...] = ()
    """Other names that the hosts go by."""
    in_mesh: bool = True
    """Whether it is known by its hosts; else only a route that names it can send to it."""
    speaks_tls: bool = False
    """Whether its endpoints speak TLS, as it says itself."""
    tls: XBackendTls | None = None
    """How they do, as far as it says so."""
    subject_alt_names: tuple[str, ...] = ()
    """What the certificates of its endpoints may be for; empty: nothing is said."""
    rank: int = 1
    """Which service owns a host or an address that two claim: the lowest, then the oldest."""
    distribution: Distribution | None = None
    """Which endpoints a client prefers; None: all are alike to it."""

    @property
    def precedence(self) -> tuple[int, str, str, str, str]:
        """Sorts services by who owns what several claim: rank, age, namespace, name, kind."""
        created = self.created or "9999"
        return (self.rank, created, self.key.namespace, self.key.name, self.key.kind)

    def port(self, number: int) -> ServicePort | None:
        """The port of a number; where connections and datagrams share it, that of connections."""
        found = (port for port in self.ports if port.number == number)
        return min(found, key=lambda port: port.protocol is Protocol.UDP, default=None)

    def udp_port(self, number: int) -> ServicePort | None:
        """The port of a number that takes datagrams."""
        found = (port for port in self.ports if port.number == number)
        return next((port for port in found if port.protocol is Protocol.UDP), None)

    def backend(self, host: str, port: ServicePort) -> BackendKey:
        """What is sent to by a host and a port of it."""
        shared = port.protocol is Protocol.UDP and self.port(port.number) != port
        return BackendKey(self.key, host, port.number, udp=shared)

    def visible_from(self, namespace: str) -> bool:
        """Whether objects of a namespace may send to it by host.  Istio: exportTo."""
        own = namespace == self.key.namespace
        return (
            "*" in self.exported_to
            or namespace in self.exported_to
            or (own and "." in self.exported_to)
        )

    def admits(self, namespace: str) -> bool | None:
        """Whether objects of a namespace may name it by host; None if a grant decides.

        Of a grant there is no question within a namespace, so it cannot lift exportTo there.
        """
        visible = self.visible_from(namespace)
        return visible if visible or namespace == self.key.namespace else None


class BackendKey(NamedTuple):
    """What traffic is sent to: one port of one host of a service."""

    service: Key
    host: str
    port: int
    subset: str = ""
    """Only some of its endpoints; which, each proxy's DestinationRules say.  Istio: subsets."""
    udp: bool = False
    """Of a number that connections and datagrams share: whether it is that of datagrams.

    Gateway API: GEP-1911.
    """

    @property
    def whole(self) -> BackendKey:
        """What a subset is a part of; itself, if it is none."""
        return self._replace(subset="") if self.subset else self

    def part(self, subset: str) -> BackendKey:
        """A subset of it."""
        return self._replace(subset=subset)


class Backend(Value, frozen=True):
    """One port of one host of a service, with what is needed to send to it."""

    key: BackendKey
    port: ServicePort
    resolution: Resolution
    members: Slices | Selected | Inline | Written
    parts: tuple[Backend, ...] = ()
    """Where several objects have the host and port: each of them, this one too, the first first.

    Their endpoints together are this one's.
    """
    distribution: Distribution | None = None


def backends(service: Service) -> tuple[Backend, ...]:
    """One backend for each host and port."""
    return tuple(
        Backend(
            service.backend(host, port),
            port,
            service.resolution,
            service.members,
            distribution=service.distribution,
        )
        for host in service.hosts
        for port in service.ports
    )
