"""Which waypoint takes a service's traffic, and why or why not.

Istio: istio.io/use-waypoint on the object, else on its Namespace.
"""

from __future__ import annotations

from serai.api.core import Namespace
from serai.api.gateway import RouteNamespaces
from serai.api.meta import Key
from serai.attach.gateways import Proxy
from serai.attach.selectors import admits
from serai.attach.transports import HBONE, PROXY
from serai.attach.verdict import Verdict, refused
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.ir.origin import Value
from serai.model.service import Service, WaypointLabels
from serai.model.waypoint_labels import (
    OPT_OUT,
    USE_WAYPOINT,
    USE_WAYPOINT_NAMESPACE,
    ingress_by_waypoint,
    waypoint_labels,
)

MANAGED = "gateway.istio.io/managed"
GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"


class Capture(Value, frozen=True):
    """What became of a service's wish for a waypoint."""

    service: Key
    verdict: Verdict
    waypoint: Key | None = None
    """The waypoint it is bound to, or wants to be bound to."""
    because: str = ""
    """Which label asked for it, and where."""
    ingress: bool | None = None
    """Whether gateways are to go through the waypoint too; None if no label says."""

    @property
    def bound_to(self) -> Key | None:
        """The waypoint that takes its traffic."""
        return self.waypoint if self.verdict.ok else None


class _Wish(Value, frozen=True):
    labels: WaypointLabels | None
    because: str


def captures(
    graph: Graph,
    services: Node[Key, Service],
    namespaces: Node[Key, Namespace],
    proxies: Node[Key, Proxy],
) -> Derived[Key, Capture]:
    """What became of every service, by its key.  A service that asks for nothing has a row too."""

    def capture(reader: Reader, key: Key, service: Service) -> Capture:
        if not service.in_mesh:
            return Capture(key, refused("NotRequested", "only routes that name it send to it"))
        wish = _wish(reader, namespaces, service)
        if wish.labels is None:
            return Capture(key, refused("NotRequested", "no label asks for a waypoint"))
        if wish.labels.name == OPT_OUT:
            return Capture(key, refused("OptedOut", wish.because), because=wish.because)
        waypoint = Key("Gateway", wish.labels.namespace or key.namespace, wish.labels.name)
        verdict = _bind(reader, namespaces, service, waypoint, reader.get(proxies, waypoint))
        ingress = _ingress(reader, namespaces, service)
        return Capture(
            key, _with_ingress(verdict, ingress=ingress), waypoint, wish.because, ingress
        )

    return mapped(graph, "captures", services, capture)


def _wish(reader: Reader, namespaces: Node[Key, Namespace], service: Service) -> _Wish:
    if service.waypoint is not None:
        return _Wish(service.waypoint, f"{service.key} has {_show(service.waypoint)}")
    key = Key("Namespace", "", service.key.namespace)
    namespace = reader.get(namespaces, key)
    inherited = waypoint_labels(namespace.metadata.labels) if namespace else None
    return _Wish(inherited, f"{key} has {_show(inherited)}" if inherited else "")


def _ingress(reader: Reader, namespaces: Node[Key, Namespace], service: Service) -> bool | None:
    if service.ingress_by_waypoint is not None:
        return service.ingress_by_waypoint
    namespace = reader.get(namespaces, Key("Namespace", "", service.key.namespace))
    return ingress_by_waypoint(namespace.metadata.labels) if namespace else None


def _with_ingress(verdict: Verdict, *, ingress: bool | None) -> Verdict:
    """The same, with Istio's words on what gateways do, where a label says it."""
    if not verdict.ok or ingress is None:
        return verdict
    said = (
        "Ingress traffic will traverse the waypoint"
        if ingress
        else "Ingress traffic is not using the waypoint, set the istio.io/ingress-use-waypoint"
        " label to true if desired."
    )
    return Verdict(ok=True, reason=verdict.reason, message=f"{verdict.message}. {said}")


def _show(labels: WaypointLabels) -> str:
    shown = f"{USE_WAYPOINT}={labels.name}"
    return f"{shown}, {USE_WAYPOINT_NAMESPACE}={labels.namespace}" if labels.namespace else shown


def _bind(
    reader: Reader,
    namespaces: Node[Key, Namespace],
    service: Service,
    key: Key,
    waypoint: Proxy | None,
) -> Verdict:
    name = f"{key.namespace}/{key.name}"
    if waypoint is None:
        return refused(
            "WaypointIsNotReady",
            f'waypoint "{name}" is not ready: no Gateway of that name with a class of ours.'
            " Its traffic goes straight to its endpoints, past all routes and policies",
        )
    if _is_part_of_waypoint(service):
        return refused("UnsupportedTrafficType", "a waypoint's own Service cannot have a waypoint")
    if not waypoint.serves_services:
        return refused(
            "UnsupportedTrafficType",
            f'attempting to bind to traffic type "service" which the waypoint "{name}" does not'
            " support; its label istio.io/waypoint-for must be service or all",
        )
    rule = _admission(waypoint)
    if not admits(reader, namespaces, rule, key.namespace, service.key.namespace):
        return refused(
            "AttachmentDenied",
            f'we are not permitted to attach to waypoint "{name}" (missing allowedRoutes?);'
            f" its listener admits namespaces from: {rule.from_}",
        )
    return Verdict(
        ok=True, reason="WaypointAccepted", message=f"Successfully attached to waypoint {name}"
    )


def _is_part_of_waypoint(service: Service) -> bool:
    labels = dict(service.labels)
    return MANAGED in labels and GATEWAY_NAME in labels


def _admission(waypoint: Proxy) -> RouteNamespaces:
    """AllowedRoutes of the listener that callers reach; without a listener, the same namespace."""
    for protocol in (PROXY, HBONE):
        for listener in waypoint.listeners:
            if listener.protocol == protocol:
                return listener.allowed_routes.namespaces
    return RouteNamespaces()
