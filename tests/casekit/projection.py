"""What of a world is worth expecting, in words short enough to read in a diff."""

from __future__ import annotations

from typing import Any

import msgspec

from casekit.case import Stage
from serai.api.gateway import ParentReference
from serai.api.meta import Condition, Key
from serai.ir.cluster import Cluster, Endpoint
from serai.ir.listener import Connects, Handling, NamedRoutes, ScopedRoutes, TcpForward
from serai.ir.origin import Value
from serai.ir.route import Action, DirectResponse, Forward, Route, WeightedCluster
from serai.ir.tls import Material
from serai.model.addresses import with_port
from serai.status.values import (
    GatewayStatus,
    ListenerSetStatus,
    ListenerStatus,
    PolicyStatus,
    RouteStatus,
    ServiceEntryStatus,
    Status,
)
from serai.trace.match import shown
from serai.translate.clusters import ClusterKey


def project(stage: Stage) -> dict[str, Any]:
    """By name of file in expected/: everything that may be expected there."""
    return {
        "services": _services(stage),
        "listeners": _listeners(stage),
        "routes": _routes(stage),
        "clusters": _clusters(stage),
        "endpoints": _endpoints(stage),
        "status": _statuses(stage),
        "problems": _problems(stage),
    }


def _services(stage: Stage) -> dict[str, Any]:
    attached = stage.world.pipeline.attached
    found: dict[str, Any] = {}
    for key, service in sorted(attached.catalog.services.items()):
        capture = attached.captures.row(key)
        bound = capture.bound_to if capture else None
        found[str(key)] = {
            "hosts": list(service.hosts),
            "addresses": [f"{each.cidr} {each.host}".rstrip() for each in service.addresses],
            "ports": [f"{port.number}/{port.protocol}" for port in service.ports],
            "waypoint": f"{bound.namespace}/{bound.name}" if bound else None,
            "capture": capture.verdict.reason if capture else None,
        }
    return found


def _listeners(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, listener in sorted(stage.world.pipeline.translated.listeners.items()):
        entry: dict[str, Any] = {
            "at": [with_port(each, listener.port) for each in listener.addresses],
            "default": _handling(listener.default) if listener.default else None,
        }
        if listener.chains:
            entry["chains"] = {f"{m.cidr} port {m.port}": m.chain for m in listener.chains}
        found.setdefault(_gateway(key.proxy), {})[listener.name] = entry
    return found


def _handling(handling: Handling) -> str:
    match handling:
        case ScopedRoutes():
            return "http, by scope"
        case NamedRoutes(name):
            return f"http, {name}"
        case TcpForward(clusters):
            return f"tcp, {_weighted(clusters)}"
        case Connects(cluster):
            return f"connect, {_weighted((cluster,))}"


def _routes(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, routes in sorted(stage.world.pipeline.translated.routes.items()):
        hosts = {
            ", ".join(host.domains): [_route(each) for each in host.routes]
            for host in routes.virtual_hosts
        }
        found.setdefault(_gateway(key.proxy), {})[routes.name] = hosts
    return found


def _route(route: Route) -> str:
    return f"{route.name}: {shown(route.match)} -> {_action(route.action)}"


def _action(action: Action) -> str:
    match action:
        case Forward(clusters):
            return _weighted(clusters)
        case DirectResponse(status):
            return str(status)
        case redirect:
            return f"redirect {redirect.status}"


def _weighted(clusters: tuple[WeightedCluster, ...]) -> str:
    if len(clusters) == 1:
        return clusters[0].cluster or str(clusters[0].status)
    return ", ".join(f"{each.weight} {each.cluster or each.status}" for each in clusters)


def _clusters(stage: Stage) -> dict[str, Any]:
    translated = stage.world.pipeline.translated
    found: dict[str, Any] = {}
    for proxied, key in sorted(translated.chosen.items()):
        cluster = translated.clusters.row(key)
        if cluster is not None:
            words = f"{cluster.discovery}{' http2' if cluster.http2 else ''}"
            asked = {type(each).__name__: _leaf(each) for each in cluster.leaves}
            entry = {"discovery": words, **asked} if asked else words
            found.setdefault(_gateway(proxied.proxy), {})[cluster.name] = entry
    return found


def _leaf(leaf: Value) -> dict[str, Any]:
    """The fields of a value that say something; of certificates only whether there are any."""
    fields = msgspec.structs.fields(leaf)
    given = {each.name: getattr(leaf, each.name) for each in fields}
    return {
        each.name: _shown(given[each.name]) for each in fields if given[each.name] != each.default
    }


def _shown(value: Any) -> Any:
    match value:
        case Material(path=path):
            return path or "PEM"
        case Value():
            return _leaf(value)
        case tuple():
            return [_shown(each) for each in value]
        case _:
            return value


def _endpoints(stage: Stage) -> dict[str, Any]:
    translated = stage.world.pipeline.translated
    return {
        key.name: [_endpoint(each) for each in (*cluster.dns_endpoints, *_known(stage, key))]
        for key, cluster in sorted(translated.clusters.items(), key=_by_name)
    }


def _by_name(item: tuple[ClusterKey, Cluster]) -> str:
    return item[0].name


def _known(stage: Stage, key: ClusterKey) -> tuple[Endpoint, ...]:
    found = stage.world.pipeline.translated.endpoints.row(key)
    return found.endpoints if found else ()


def _endpoint(endpoint: Endpoint) -> str:
    weight = f" weight {endpoint.weight}" if endpoint.weight != 1 else ""
    where = endpoint.locality
    place = "/".join(part for part in (where.region, where.zone, where.subzone) if part)
    return with_port(endpoint.address, endpoint.port) + weight + (f" in {place}" if place else "")


def _statuses(stage: Stage) -> dict[str, Any]:
    return {str(key): _status(row) for key, row in sorted(stage.world.pipeline.statuses.items())}


def _status(status: Status) -> dict[str, Any]:
    match status:
        case GatewayStatus(conditions, addresses, listeners, sets):
            return {
                "conditions": _conditions(conditions),
                "addresses": [each.value for each in addresses],
                "attachedListenerSets": sets,
                "listeners": _listener_statuses(listeners),
            }
        case ListenerSetStatus(conditions, listeners):
            return {
                "conditions": _conditions(conditions),
                "listeners": _listener_statuses(listeners),
            }
        case ServiceEntryStatus(conditions, given):
            return {
                "conditions": _conditions(conditions),
                "addresses": [f"{each.value} {each.host}".rstrip() for each in given],
            }
        case PolicyStatus(ancestors):
            return {_parent(each.ancestor_ref): _conditions(each.conditions) for each in ancestors}
        case RouteStatus(parents):
            return {_parent(each.parent_ref): _conditions(each.conditions) for each in parents}
        case other:
            return {"conditions": _conditions(other.conditions)}


def _listener_statuses(listeners: tuple[ListenerStatus, ...]) -> dict[str, Any]:
    return {
        each.name: {
            "conditions": _conditions(each.conditions),
            "attachedRoutes": each.attached_routes,
            "supportedKinds": [kind.kind for kind in each.supported_kinds],
        }
        for each in listeners
    }


def _parent(parent: ParentReference) -> str:
    section = f"/{parent.section_name}" if parent.section_name else ""
    port = f":{parent.port}" if parent.port else ""
    return f"{parent.kind} {parent.name}{section}{port}"


def _conditions(conditions: tuple[Condition, ...]) -> list[str]:
    return [f"{each.type}={each.status} {each.reason}" for each in conditions]


def _problems(stage: Stage) -> list[str]:
    found = (
        f"{each.code} {each.severity} {each.key or ''} {each.path}".rstrip()
        for each in stage.problems
    )
    return sorted(found)


def _gateway(key: Key) -> str:
    return f"{key.namespace}/{key.name}"
