"""Gateways and waypoints: where they listen, what they take, how they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from serai.api.meta import Condition, Key
from serai.api.problem import Problem
from serai.attach.gateways import Proxy, Role
from serai.attach.routes import ListenerTarget, ServiceTarget, Target, WaypointTarget
from serai.status.values import GatewayStatus
from serai.translate import names
from serai.views.health import joined
from serai.views.pipeline import Pipeline
from serai.views.row import Row
from serai.views.state import EnvoyState, State

_NO_PORT = {"SER0904": "Port taken", "SER0907": "Port not allowed"}
"""What keeps a Gateway from listening on this machine, by the problem's code."""


class GatewayRow(Row, frozen=True):
    """A Gateway of ours."""

    namespace: str
    name: str
    class_name: str
    role: str
    """``gateway`` or ``waypoint``."""
    addresses: tuple[str, ...]
    """Where it listens, as ``ip:port``; captured VIPs on loopback are not among them."""
    services: int | None
    """How many a waypoint has captured; None for other gateways."""
    routes: int
    """How many routes attach to it, or to what it has captured."""
    status: str
    """``Programmed``, or what it is instead."""
    message: str
    admin: str = ""
    """``host:port`` of its Envoy's admin interface, where one runs here; empty until known."""

    @property
    def name_in_scope(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"


def gateway_rows(state: State) -> list[GatewayRow]:
    """Every Gateway of ours, by namespace and name; where Envoys run, how its Envoy is."""
    pipeline = state.pipeline
    proxies = sorted(pipeline.attached.proxies.items(), key=lambda item: item[1].name)
    services, routes = _captured(pipeline), _attached(pipeline)
    envoys = {envoy.gateway: envoy for envoy in state.facts.envoys}
    addresses = _addresses(pipeline)
    ports = {each.key: each for each in state.problems if each.code in _NO_PORT}
    return [
        _row(
            proxy,
            addresses=tuple(sorted(addresses[key])),
            services=len(services[key]) if proxy.role is Role.WAYPOINT else None,
            routes=len(routes[key]),
            status=_status(pipeline, key, envoys.get(proxy.name), ports.get(key)),
            envoy=envoys.get(proxy.name),
        )
        for key, proxy in proxies
    ]


def _row(
    proxy: Proxy,
    *,
    addresses: tuple[str, ...],
    services: int | None,
    routes: int,
    status: tuple[str, str],
    envoy: EnvoyState | None,
) -> GatewayRow:
    return GatewayRow(
        namespace=proxy.key.namespace,
        name=proxy.key.name,
        class_name=proxy.class_name,
        role=str(proxy.role),
        addresses=addresses,
        services=services,
        routes=routes,
        status=status[0],
        message=status[1],
        admin=envoy.admin if envoy else "",
    )


def _captured(pipeline: Pipeline) -> Mapping[Key, set[Key]]:
    found: dict[Key, set[Key]] = defaultdict(set)
    for key, capture in pipeline.attached.captures.items():
        if capture.bound_to:
            found[capture.bound_to].add(key)
    return found


def _attached(pipeline: Pipeline) -> Mapping[Key, set[Key]]:
    """The routes of each Gateway, whether they name it or a service that it has captured."""
    found: dict[Key, set[Key]] = defaultdict(set)
    for key, attachment in pipeline.attached.attachments.items():
        for target in attachment.targets:
            gateway = _gateway_of(pipeline, target)
            if gateway is not None:
                found[gateway].add(key.route)
    return found


def _gateway_of(pipeline: Pipeline, target: Target) -> Key | None:
    """Whose proxy serves what a route attaches to; None if nobody's does."""
    match target:
        case ListenerTarget(listener):
            state = pipeline.attached.listeners.row(listener)
            return state.gateway if state else None
        case WaypointTarget(waypoint):
            return waypoint
        case ServiceTarget(service):
            capture = pipeline.attached.captures.row(service)
            return capture.bound_to if capture else None


def _addresses(pipeline: Pipeline) -> Mapping[Key, set[str]]:
    found: dict[Key, set[str]] = defaultdict(set)
    for key, listener in pipeline.translated.listeners.items():
        own = {names.WAYPOINT_LISTENER, names.gateway_listener(listener.port)}
        if listener.name in own:
            found[key.proxy].update(joined(each, listener.port) for each in listener.addresses)
    return found


def _status(
    pipeline: Pipeline, key: Key, envoy: EnvoyState | None, port: Problem | None
) -> tuple[str, str]:
    if port is not None:
        return _NO_PORT[port.code], port.message
    status = pipeline.statuses.row(key)
    conditions = status.conditions if isinstance(status, GatewayStatus) else ()
    wrong = _first_wrong(conditions)
    if wrong is not None:
        return wrong.reason, wrong.message
    if envoy is not None and envoy.state != "ready":
        restarts = f", after {envoy.restarts} restarts" if envoy.restarts else ""
        return f"Envoy {envoy.state}", f"its Envoy is {envoy.state}{restarts}"
    return "Programmed", ""


def _first_wrong(conditions: Iterable[Condition]) -> Condition | None:
    return next((each for each in conditions if each.status == "False"), None)
