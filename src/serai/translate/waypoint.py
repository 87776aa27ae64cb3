"""A waypoint's captured ports -> route configurations, scopes, filter chains and listeners."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from serai.api.meta import Key
from serai.api.routes import REQUESTS
from serai.attach.frontends import Binding, BindingKey, Frontend, FrontendKey
from serai.attach.hostnames import ANY, covers, intersection, is_partial
from serai.attach.routes import (
    Attachment,
    AttachmentKey,
    ServiceTarget,
    WaypointTarget,
)
from serai.incremental import Graph, Reader, Transient
from serai.ir.origin import Origin, Value
from serai.ir.route import Route, RouteConfiguration, Scope
from serai.model.addresses import is_range, with_port
from serai.model.service import BackendKey, Resolution
from serai.translate import names
from serai.translate.around import around_port
from serai.translate.collections import Attached, Named
from serai.translate.compiled import all_to
from serai.translate.default_route import default_route, nothing_else
from serai.translate.order import RankedRoute
from serai.translate.own_addresses import routed_to_the_chosen
from serai.translate.redirects import at_port
from serai.translate.rules import CompiledRoute
from serai.translate.virtual_hosts import HostGroup, HostRoutes, virtual_hosts


class _Applied(Value, frozen=True):
    """A route as it applies to one frontend."""

    route: Key
    host: str
    hostnames: tuple[str, ...]
    clients: str
    compiled: CompiledRoute
    remoteness: int = 0
    """1: it is for all that the waypoint captures, and gives way to routes of the service."""


def frontend_routes(graph: Graph, attached: Attached) -> Transient[Named, RouteConfiguration]:
    """One route configuration for each captured port that speaks HTTP, or may."""

    def rows(
        reader: Reader, key: FrontendKey, frontend: Frontend
    ) -> Iterator[tuple[Named, RouteConfiguration]]:
        if frontend.port.protocol.may_be_http:
            name = names.frontend(key, http=True)
            applied = list(_applied(reader, attached, key))
            groups = tuple(_groups(reader, attached, frontend, applied))
            found = at_port(virtual_hosts(groups), key.port)
            found = routed_to_the_chosen(reader, attached, frontend, found)
            hosts = tuple(attached.policies.in_force(reader, each) for each in found)
            routes = tuple(sorted({each.route for each in applied}))
            configuration = RouteConfiguration(name, hosts, Origin(key.service), routes)
            yield Named(key.waypoint, name), configuration

    return Transient(graph, "frontend routes", attached.frontends, rows)


def _groups(
    reader: Reader, attached: Attached, frontend: Frontend, applied: list[_Applied]
) -> Iterator[HostGroup]:
    """One group for each host; what names no host of the service is taken for its first.

    A route for one of the names that a wildcard covers makes a group of that name.  Where hosts
    are looked up, no other names are taken.
    """
    only = frontend.resolution is Resolution.DYNAMIC_DNS
    for host in frontend.hosts if only or len(frontend.hosts) > 1 else ():
        if not is_partial(host):
            yield _group(reader, attached, frontend, host, host, applied)
    for name, host in _narrowed(frontend, applied):
        yield _group(reader, attached, frontend, name, host, applied)
    rest = [host for host in frontend.hosts if is_partial(host)] if only else frontend.hosts[:1]
    if rest and not (only and ANY in frontend.hosts):
        yield _group(reader, attached, frontend, ANY, rest[0], applied)


def _narrowed(frontend: Frontend, applied: list[_Applied]) -> Iterator[tuple[str, str]]:
    """The names that a consumer's routes are for and that no host of the service is."""
    found = {
        hostname: each.host
        for each in applied
        if each.clients
        for hostname in each.hostnames
        if hostname not in {ANY, *frontend.hosts} and each.host in frontend.hosts
    }
    yield from sorted(found.items())


def _applied(reader: Reader, attached: Attached, key: FrontendKey) -> Iterator[_Applied]:
    found = reader.rows(attached.on_service, key.service, attached.attachments)
    found += reader.rows(attached.on_waypoint, key.waypoint, attached.attachments)
    for attachment_key, attachment in found:
        if attachment_key.route.kind not in REQUESTS:
            continue
        yield from _targets(reader, attached, key, attachment_key, attachment)


def _targets(
    reader: Reader,
    attached: Attached,
    key: FrontendKey,
    attachment_key: AttachmentKey,
    attachment: Attachment,
) -> Iterator[_Applied]:
    for target in attachment.targets:
        compiled = reader.get(attached.compiled, attachment_key)
        match target:
            case ServiceTarget(service, host, port, clients, hostname) if (
                compiled and service == key.service and port in {0, key.port}
            ):
                yield _Applied(attachment_key.route, host, (hostname,), clients, compiled)
            case WaypointTarget(waypoint, hostnames) if compiled and waypoint == key.waypoint:
                yield _Applied(attachment_key.route, "", hostnames, "", compiled, 1)
            case _:
                pass


def _group(
    reader: Reader,
    attached: Attached,
    frontend: Frontend,
    pattern: str,
    host: str,
    applied: list[_Applied],
) -> HostGroup:
    mine = [each for each in applied if each.host in {"", host}]
    for_clients = [
        each for each in mine if each.clients and any(covers(h, pattern) for h in each.hostnames)
    ]
    for_all = [each for each in mine if not each.clients]
    entries = [_entry(pattern, each) for each in for_all]
    key = frontend.key
    backend = BackendKey(key.service, host, key.port)
    to = all_to(reader, attached.catalog, attached.cluster_names, backend)
    kept = reader.get(attached.sending.sessions, backend)
    return HostGroup(
        hostname=pattern,
        entries=tuple(entry for entry in entries if entry.hostnames),
        otherwise=default_route(key.service, replace(to, session=kept) if to else None),
        first=_for_consumers(for_clients, Origin(key.service)),
        leaves=tuple(around_port(reader, attached, key, frontend.port, host)),
    )


def _for_consumers(applied: list[_Applied], origin: Origin) -> tuple[Route, ...]:
    """The routes of consumers, which replace all others for their own clients."""
    routes: list[Route] = []
    for namespace in sorted({each.clients for each in applied}):
        ranked: list[RankedRoute] = [
            route for each in applied if each.clients == namespace for route in each.compiled.routes
        ]
        routes += [each.route for each in sorted(ranked, key=lambda each: each.rank)]
        routes.append(nothing_else(namespace, origin))
    return tuple(routes)


def _entry(pattern: str, applied: _Applied) -> HostRoutes:
    shared = (intersection(pattern, each) for each in applied.hostnames)
    hostnames = tuple(each for each in shared if each)
    return HostRoutes(hostnames, applied.compiled.routes, applied.remoteness)


def scopes(graph: Graph, attached: Attached) -> Transient[Named, Scope]:
    """Ties each captured HTTP address and port to its route configuration."""

    def rows(reader: Reader, key: BindingKey, binding: Binding) -> Iterator[tuple[Named, Scope]]:
        frontend = reader.get(attached.frontends, binding.frontend)
        if frontend is None or not frontend.port.protocol.is_http or is_range(key.cidr):
            return
        name = names.scope(key.cidr, key.port)
        routes = names.frontend(frontend.key, http=True)
        origin = Origin(frontend.key.service)
        destination = with_port(key.cidr, key.port)
        yield Named(key.waypoint, name), Scope(name, destination, routes, origin)

    return Transient(graph, "scopes", attached.bindings, rows)
