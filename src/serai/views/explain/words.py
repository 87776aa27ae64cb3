"""Routes in words: what they match and what they do."""

from __future__ import annotations

from serai.attach.hostnames import ANY
from serai.ir.listener import Connects, Handling, NamedRoutes, ScopedRoutes, TcpForward
from serai.ir.match import PathKind, RequestMatch
from serai.ir.route import (
    Action,
    DirectResponse,
    Forward,
    Redirect,
    Route,
    VirtualHost,
    WeightedCluster,
)
from serai.translate.default_route import DEFAULT

UNMATCHED = "unmatched/"
"""How the names of routes begin that answer what a consumer's own routes did not match."""

_PATHS = {PathKind.EXACT: "exactly ", PathKind.PREFIX: "", PathKind.REGEX: "matching "}


def in_match_order(hosts: tuple[VirtualHost, ...]) -> list[str]:
    """Every route in the order in which it is tried; the name of its host where it matters."""
    alike: dict[tuple[Route, ...], list[str]] = {}
    for host in sorted(hosts, key=lambda each: (each.name == ANY, each.name)):
        name = "any other host" if host.name == ANY else host.name
        alike.setdefault(host.routes, []).append(name)
    if len(alike) == 1 and any(host.name == ANY for host in hosts):
        return [route(each) for each in hosts[0].routes]
    return [
        f"{' and '.join(names)}: {route(each)}"
        for routes, names in alike.items()
        for each in routes
    ]


def route(found: Route) -> str:
    """Whose route it is, what it takes, and what becomes of that."""
    if found.name == DEFAULT:
        return f"the default route -> {action(found.action)}"
    if found.name.startswith(UNMATCHED):
        clients = found.match.client_namespace
        return f"whatever else clients of namespace {clients} ask for -> {action(found.action)}"
    rule = found.origin.path.removeprefix("spec.rules[").removesuffix("]")
    whose = f"route {found.origin.key.namespaced_name}"
    whose = f"{whose} rule {rule}" if rule.isdecimal() else whose
    return f"{whose}: {match(found.match)} -> {action(found.action)}"


def match(found: RequestMatch) -> str:
    """What a route takes."""
    parts = [found.method] if found.method else []
    parts.append(f"path {_PATHS[found.path.kind]}{found.path.value}")
    if found.path.kind is PathKind.PREFIX:
        parts[-1] = "any path" if found.path.value == "/" else f"paths below {found.path.value}"
    parts += [f"header {each}" for each in found.headers]
    parts += [f"query {each}" for each in found.query]
    if found.client_namespace:
        parts.append(f"from clients of namespace {found.client_namespace}")
    return ", ".join(parts)


def action(found: Action) -> str:
    """What becomes of a request."""
    match found:
        case Forward(clusters):
            return shares(clusters)
        case Redirect(status):
            return f"redirect {status}"
        case DirectResponse(status):
            return f"answer {status}"


def shares(clusters: tuple[WeightedCluster, ...]) -> str:
    """Where requests go, in hundredths where they go to several clusters."""
    total = sum(each.weight for each in clusters) or 1
    names = [each.cluster or f"answer {each.status}" for each in clusters]
    if len(names) == 1:
        return names[0]
    parts = (round(100 * each.weight / total) for each in clusters)
    return ", ".join(f"{name} {part}%" for name, part in zip(names, parts, strict=True))


def handling(found: Handling) -> str:
    """What is done with connections."""
    match found:
        case TcpForward(clusters):
            return f"connections -> {shares(clusters)}"
        case Connects(cluster):
            return f"what is inside CONNECT requests -> {shares((cluster,))}"
        case NamedRoutes(name):
            return f"requests, by {name}"
        case ScopedRoutes():
            return "requests, by the address they were sent to"
