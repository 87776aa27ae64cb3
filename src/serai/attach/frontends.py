"""The captured ports of a waypoint, and who owns an address and port that several claim."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from msgspec.structs import replace

from serai.api.meta import Key
from serai.attach.capture import Capture
from serai.attach.gateways import Proxy
from serai.incremental import Derived, Graph, Index, Node, Reader, Union, mapped
from serai.ir.cluster import Endpoint
from serai.ir.origin import Value
from serai.model.addresses import is_elsewhere, is_range
from serai.model.catalog import Catalog
from serai.model.own import outside
from serai.model.protocol import Protocol
from serai.model.service import BackendKey, Resolution, Service, ServicePort
from serai.model.settings import Settings


class FrontendKey(NamedTuple):
    """One port of a captured service; with a host where that host has VIPs of its own."""

    waypoint: Key
    service: Key
    port: int
    host: str = ""
    direct: bool = False
    """Whether it is what comes to the endpoints' own addresses, of a service that has none."""
    tunnels: bool = False
    """Of these: whether it is for the endpoints that are reached by HBONE."""


class Claim(NamedTuple):
    """What a captured port wants to have."""

    binding: BindingKey
    frontend: FrontendKey


class Frontend(Value, frozen=True):
    """What clients of one captured port see: its hosts and its VIPs."""

    key: FrontendKey
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    port: ServicePort
    resolution: Resolution
    precedence: tuple[int, str, str, str, str]
    names: tuple[str, ...] = ()
    """The hosts by which it can be asked for itself, where clients can name one."""


class BindingKey(NamedTuple):
    """An address, a range of them, or a host by its name, and a port at a waypoint."""

    waypoint: Key
    cidr: str
    port: int


class WaypointPort(NamedTuple):
    """A port at a waypoint, whatever the address."""

    waypoint: Key
    port: int


class Binding(Value, frozen=True):
    """Who gets the traffic to an address and port, and who claimed it in vain."""

    frontend: FrontendKey
    losers: tuple[FrontendKey, ...]


def frontends(
    graph: Graph,
    captures: Node[Key, Capture],
    catalog: Catalog,
    proxies: Node[Key, Proxy],
    settings: Settings,
) -> Derived[FrontendKey, Frontend]:
    """Every captured port that can be reached by a VIP or a name.  UDP is not captured."""

    def rows(reader: Reader, key: Key, capture: Capture) -> Iterator[tuple[FrontendKey, Frontend]]:
        service = reader.get(catalog.services, key) if capture.waypoints else None
        if service is None:
            return
        for waypoint in capture.waypoints:
            proxy = reader.get(proxies, waypoint)
            named = bool(proxy and (proxy.hears_names or not service.addresses))
            found = tuple(_of_waypoint(waypoint, service, named=named, settings=settings))
            yield from found
            if proxy and proxy.hears_names:
                yield from _tunnelled(reader, catalog, found)

    return Derived(graph, "frontends", captures, rows)


def _tunnelled(
    reader: Reader, catalog: Catalog, found: Iterable[tuple[FrontendKey, Frontend]]
) -> Iterator[tuple[FrontendKey, Frontend]]:
    """The same for endpoints in the mesh, where clients come to the endpoints' own addresses."""
    for key, frontend in found:
        if key.direct and any(each.in_mesh for each in _endpoints(reader, catalog, frontend)):
            inside = key._replace(tunnels=True)
            yield inside, replace(frontend, key=inside)


def _of_waypoint(
    waypoint: Key, service: Service, *, named: bool, settings: Settings
) -> Iterator[tuple[FrontendKey, Frontend]]:
    for face in _faces(service, named=named):
        for port in service.ports:
            if port.protocol is not Protocol.UDP:
                key = FrontendKey(waypoint, service.key, port.number, face.host, face.direct)
                frontend = Frontend(
                    key,
                    face.hosts,
                    _reachable(face.addresses, port, service.resolution, settings),
                    port,
                    service.resolution,
                    service.precedence,
                    face.names,
                )
                yield key, frontend


def _reachable(
    addresses: tuple[str, ...], port: ServicePort, resolution: Resolution, settings: Settings
) -> tuple[str, ...]:
    """Where callers are sent on to the address they came for, none of them is a place of ours."""
    if resolution is not Resolution.NONE:
        return addresses
    return tuple(part for each in addresses for part in outside(each, port.target_number, settings))


class _Face(NamedTuple):
    host: str
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    names: tuple[str, ...] = ()
    direct: bool = False


def _faces(service: Service, *, named: bool) -> Iterator[_Face]:
    """The VIPs shared by all hosts, then those of a host of its own.

    Hosts that clients can name come with them; those without a VIP are in the first.  Who has
    resolved the host himself goes by address: a name would not say where to.  Where there is no
    VIP at all, clients have resolved the host to its endpoints, if these are known.
    """
    by_host = {
        host: tuple(each.cidr for each in service.addresses if each.host == host)
        for host in service.hosts
    }
    shared = tuple(address.cidr for address in service.addresses if not address.host)
    named = named and service.resolution is not Resolution.NONE
    plain = tuple(host for host in service.hosts if named and "*" not in host)
    rest = tuple(host for host in plain if not by_host[host])
    if shared or rest:
        yield _Face("", service.hosts, shared, rest)
    for host, own in by_host.items():
        if own:
            yield _Face(host, (host,), own, (host,) if host in plain else ())
    if not service.addresses and service.resolution is Resolution.KNOWN:
        yield _Face("", service.hosts, (), direct=True)


def bindings(
    graph: Graph, all_frontends: Node[FrontendKey, Frontend], catalog: Catalog
) -> Derived[BindingKey, Binding]:
    """Who owns each address and port: a Kubernetes Service first, then the oldest, then by name."""
    wanted = Union(
        graph, "claims", (_given(graph, all_frontends), _own(graph, all_frontends, catalog))
    )
    claims: Index[BindingKey, Claim] = Index(
        graph, "claims to addresses", wanted, lambda key, _: (key.binding,)
    )

    def binding(reader: Reader, _: BindingKey, claimants: Sequence[Claim]) -> Binding:
        found = (reader.get(all_frontends, claim.frontend) for claim in claimants)
        ranked = sorted(
            (each for each in found if each), key=lambda each: (each.precedence, each.key)
        )
        return Binding(ranked[0].key, tuple(each.key for each in ranked[1:]))

    return mapped(graph, "bindings", claims, binding)


def _given(
    graph: Graph, all_frontends: Node[FrontendKey, Frontend]
) -> Derived[Claim, Literal[True]]:
    """Claims to VIPs and names."""

    def rows(_: Reader, key: FrontendKey, row: Frontend) -> Iterator[tuple[Claim, Literal[True]]]:
        for each in dict.fromkeys((*row.addresses, *row.names)):
            yield Claim(BindingKey(key.waypoint, each, key.port), key), True

    return Derived(graph, "claims to VIPs", all_frontends, rows)


def _own(
    graph: Graph, all_frontends: Node[FrontendKey, Frontend], catalog: Catalog
) -> Derived[Claim, Literal[True]]:
    """Claims to the endpoints' own addresses and ports, where clients resolve a host to them."""

    def rows(
        reader: Reader, key: FrontendKey, row: Frontend
    ) -> Iterator[tuple[Claim, Literal[True]]]:
        if not key.direct:
            return
        found = _endpoints(reader, catalog, row)
        inside = reader.get(all_frontends, key._replace(tunnels=True)) is not None
        for endpoint in found:
            if is_elsewhere(endpoint.address) and (inside and endpoint.in_mesh) == key.tunnels:
                own = BindingKey(key.waypoint, endpoint.address, endpoint.port)
                yield Claim(own, key), True

    return Derived(graph, "claims to endpoints", all_frontends, rows)


def _endpoints(reader: Reader, catalog: Catalog, frontend: Frontend) -> tuple[Endpoint, ...]:
    key = frontend.key
    backend = BackendKey(key.service, frontend.hosts[0], key.port)
    found = reader.get(catalog.endpoints, backend) or ()
    return tuple(each for each in found if not each.cluster and each.through is None)


def ranges(
    graph: Graph, all_bindings: Node[BindingKey, Binding]
) -> Index[WaypointPort, BindingKey]:
    """Which of a waypoint's bindings are ranges, by port."""

    def keys(key: BindingKey, _: Binding) -> Iterator[WaypointPort]:
        if is_range(key.cidr):
            yield WaypointPort(key.waypoint, key.port)

    return Index(graph, "ranges of waypoint", all_bindings, keys)
