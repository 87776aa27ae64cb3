"""Services without an address of their own, whose clients have resolved their host to endpoints.

What routes send to such a service goes to the endpoint that the client chose.  What they send
elsewhere goes there, as for any other service.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from serai.attach.frontends import Frontend
from serai.incremental import Reader
from serai.ir.listener import TcpForward
from serai.ir.route import Forward, Route, VirtualHost, WeightedCluster
from serai.model.service import BackendKey
from serai.translate import names
from serai.translate.collections import Attached


def to_the_chosen(
    reader: Reader, attached: Attached, frontend: Frontend, found: TcpForward
) -> TcpForward:
    """The same, with the service itself replaced by the endpoint that was chosen."""
    own = _own(reader, attached, frontend)
    clusters = _swapped(found.clusters, own)
    return replace(found, clusters=clusters, destined=frontend.key.tunnels) if own else found


def routed_to_the_chosen(
    reader: Reader, attached: Attached, frontend: Frontend, hosts: tuple[VirtualHost, ...]
) -> tuple[VirtualHost, ...]:
    """Likewise for the routes of requests."""
    own = _own(reader, attached, frontend)
    if not own:
        return hosts
    return tuple(
        replace(host, routes=tuple(_route(each, own) for each in host.routes)) for host in hosts
    )


def _own(reader: Reader, attached: Attached, frontend: Frontend) -> dict[str, str]:
    """The clusters of the service itself, where clients go by its endpoints' addresses.

    With what stands in their place.
    """
    if not frontend.key.direct:
        return {}
    chosen = names.tunnelled if frontend.key.tunnels else names.addressed
    keys = (BackendKey(frontend.key.service, host, frontend.key.port) for host in frontend.hosts)
    found = (reader.get(attached.cluster_names, key) for key in keys)
    return {name: chosen(name) for name in found if name}


def _route(route: Route, own: Mapping[str, str]) -> Route:
    if not isinstance(route.action, Forward):
        return route
    clusters = _swapped(route.action.clusters, own)
    return replace(route, action=replace(route.action, clusters=clusters))


def _swapped(
    clusters: Iterable[WeightedCluster], own: Mapping[str, str]
) -> tuple[WeightedCluster, ...]:
    return tuple(
        replace(each, cluster=own[each.cluster]) if each.cluster and each.cluster in own else each
        for each in clusters
    )
