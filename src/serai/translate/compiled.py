"""Attachments -> compiled routes, and the indexes by which parents find theirs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from msgspec.structs import replace

from serai.api.grpcroute import GRPCRoute
from serai.api.httproute import HTTPRoute
from serai.api.meta import Key
from serai.api.routes import REQUESTS, Route
from serai.attach.detours import Detour
from serai.attach.listeners import ListenerKey
from serai.attach.routes import (
    Attachment,
    AttachmentKey,
    ListenerTarget,
    ServiceTarget,
    WaypointTarget,
)
from serai.backends import Invalid, Lookup, Reference, resolve
from serai.incremental import Derived, Graph, Index, Node, Reader, Union, mapped
from serai.ir.leaf import Leaf
from serai.ir.route import Destination, LookUp, WeightedCluster
from serai.model.catalog import Catalog
from serai.model.service import Backend, BackendKey, Resolution
from serai.model.settings import Settings
from serai.translate import names
from serai.translate.extensions import Extend, Extensions
from serai.translate.grpcroute import compile_grpc
from serai.translate.httproute import compile_http
from serai.translate.policies import Looks
from serai.translate.rules import AnyBackendRef, CompiledRoute, LeavesOf, Resolve, Rule
from serai.translate.sending import Sending
from serai.translate.streamroutes import compile_stream


def all_to(
    reader: Reader, catalog: Catalog, clusters: Node[BackendKey, str], key: BackendKey
) -> WeightedCluster | None:
    """All requests to a backend's cluster; None if it cannot be sent to."""
    backend, name = reader.get(catalog.backends, key.whole), reader.get(clusters, key)
    if backend is None or name is None:
        return None
    dynamic = backend.resolution is Resolution.DYNAMIC_DNS
    look_up = LookUp(key.host, backend.port.target_number) if dynamic else None
    destination = Destination(key.service, key.host, backend.port.sections, key.port, key.subset)
    return WeightedCluster(name, look_up=look_up, destination=destination)


def bytes_to(
    reader: Reader, catalog: Catalog, clusters: Node[BackendKey, str], key: BackendKey
) -> WeightedCluster | None:
    """All connections to a backend's cluster; None if it cannot be sent to.

    What looks up the host that is asked for is entered by the listener that reads it.
    """
    found = all_to(reader, catalog, clusters, key)
    if found is None or found.cluster is None or found.look_up is None:
        return found
    return WeightedCluster(names.hello(found.cluster))


def cluster_names(
    graph: Graph, catalog: Catalog, subsets: Node[BackendKey, Backend], settings: Settings
) -> Derived[BackendKey, str]:
    """The name of each backend's cluster, and of each of its subsets'."""
    every: Union[BackendKey, Backend] = Union(graph, "all backends", (catalog.backends, subsets))

    def name(reader: Reader, key: BackendKey, _: Backend) -> str:
        if settings.cluster_names == "serai":
            return names.cluster(key)
        return names.istio_cluster(key, owner=owns_host(reader, catalog, key))

    return mapped(graph, "cluster names", every, name)


def backends_by_cluster(graph: Graph, clusters: Node[BackendKey, str]) -> Index[str, BackendKey]:
    """From the name of a cluster, or of what stands beside it, to its backend."""
    return Index(graph, "backends by cluster", clusters, lambda _, name: names.findable(name))


def owns_host(reader: Reader, catalog: Catalog, key: BackendKey) -> bool:
    """Whether, of all services with a backend's host, its own is the first, whoever asks."""
    owners = catalog.host_owners(reader, key.host, key.service.namespace)
    first = min(owners, key=lambda owner: owner.precedence, default=None)
    return first is not None and first.key == key.service


def compiled_routes(
    graph: Graph,
    attachments: Node[AttachmentKey, Attachment],
    routes: Node[Key, Route],
    looks: Looks,
    extensions: Extensions,
    detours: Node[BackendKey, Detour],
    sent: Sending,
) -> Derived[AttachmentKey, CompiledRoute]:
    """The rules of each attached route, with its references resolved as its parent permits.

    Each has the leaves of the policies on itself and on its route.
    """
    lookup, clusters, policies = looks.lookup, looks.clusters, extensions.policies

    def compiled(reader: Reader, key: AttachmentKey, attachment: Attachment) -> CompiledRoute:
        trusted = attachment.namespace
        edge = any(isinstance(each, ListenerTarget) for each in attachment.targets)

        def to_cluster(ref: AnyBackendRef) -> WeightedCluster | Invalid:
            if isinstance(found := _found(reader, lookup, key.route, ref, trusted), Invalid):
                return found
            to = all_to if key.route.kind in REQUESTS else bytes_to
            name = to(reader, lookup.catalog, clusters, found)
            if name is None:
                return Invalid("BackendNotFound", f"{found.service} is not there any more")
            if edge and reader.get(detours, found.whole) is not None:
                return _around(name, reader.get(clusters, found.whole))
            wrong = _misled(reader, lookup, found, attachment)
            kept = replace(name, session=reader.get(sent.sessions, found.whole))
            return sent.refused(reader, key.route, found) or wrong or kept

        def own(rule: Rule) -> tuple[Leaf, ...]:
            return tuple(policies.at(reader, key.route, (rule.name,) if rule.name else ()))

        named = partial(extensions.find, reader, key.route)
        written = _written(reader, routes, key.route)
        return _compile(key.route, written, to_cluster, own, named, _clients(attachment))

    return mapped(graph, "compiled routes", attachments, compiled)


def _written(reader: Reader, routes: Node[Key, Route], key: Key) -> Route:
    route = reader.get(routes, key)
    if route is None:
        msg = f"{key} is attached and does not exist"
        raise LookupError(msg)
    return route


def _clients(attachment: Attachment) -> str:
    targets = attachment.targets
    return next((each.clients for each in targets if isinstance(each, ServiceTarget)), "")


def _around(to: WeightedCluster, cluster: str | None) -> WeightedCluster:
    """Through the backend's waypoint, in place of straight to its cluster."""
    inside = names.detour(cluster) if cluster else None
    return replace(to, cluster=inside, look_up=None)


def _compile(
    key: Key, route: Route, resolve: Resolve, leaves: LeavesOf, extend: Extend, clients: str
) -> CompiledRoute:
    match route:
        case HTTPRoute():
            return compile_http(key, route, resolve, leaves, extend, clients)
        case GRPCRoute():
            return compile_grpc(key, route, resolve, leaves, extend, clients)
        case _:
            return compile_stream(route, resolve)


def _misled(
    reader: Reader, lookup: Lookup, found: BackendKey, attachment: Attachment
) -> Invalid | None:
    """Why a route cannot send to a service whose callers have resolved it.

    Its requests go to the address that the caller was connecting to, which is the service's own
    only where the route's parent is that service.
    """
    backend = reader.get(lookup.catalog.backends, found.whole)
    if backend is None or backend.resolution is not Resolution.NONE:
        return None
    parents = [
        each.service if isinstance(each, ServiceTarget) else None for each in attachment.targets
    ]
    if all(parent == found.service for parent in parents):
        return None
    return Invalid(
        "UnsupportedProtocol",
        f"{found.service} has resolution NONE: it is at the address that its caller was going to,"
        " and here a caller was going elsewhere; only a route whose parent is that ServiceEntry"
        " can send to it. Give it resolution STATIC or DNS",
    )


def _found(
    reader: Reader, lookup: Lookup, source: Key, ref: AnyBackendRef, trusted: str
) -> BackendKey | Invalid:
    return resolve(reader, lookup, _reference(source, ref, trusted))


def _reference(source: Key, ref: AnyBackendRef, trusted: str) -> Reference:
    return Reference(
        source=source,
        group=ref.group,
        kind=ref.kind,
        name=ref.name,
        namespace=ref.namespace,
        port=ref.port,
        trusted_namespace=trusted,
    )


class AttachmentIndexes:
    """By which services, waypoints and listeners find what is attached to them."""

    def __init__(self, graph: Graph, attachments: Node[AttachmentKey, Attachment]) -> None:
        self.on_service: Index[Key, AttachmentKey] = Index(
            graph, "routes on service", attachments, _services
        )
        self.on_waypoint: Index[Key, AttachmentKey] = Index(
            graph, "routes on waypoint", attachments, _waypoints
        )
        self.on_listener: Index[ListenerKey, AttachmentKey] = Index(
            graph, "routes on listener", attachments, _listeners
        )
        self.of_route: Index[Key, AttachmentKey] = Index(
            graph, "attachments of route", attachments, lambda key, _: (key.route,)
        )


def _services(_: AttachmentKey, attachment: Attachment) -> Iterator[Key]:
    for target in attachment.targets:
        if isinstance(target, ServiceTarget):
            yield target.service


def _waypoints(_: AttachmentKey, attachment: Attachment) -> Iterator[Key]:
    for target in attachment.targets:
        if isinstance(target, WaypointTarget):
            yield target.waypoint


def _listeners(_: AttachmentKey, attachment: Attachment) -> Iterator[ListenerKey]:
    for target in attachment.targets:
        if isinstance(target, ListenerTarget):
            yield target.listener
