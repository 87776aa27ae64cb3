"""Which waypoint takes a service's traffic, and why or why not.

Istio: istio.io/use-waypoint on the object, else on its Namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from msgspec.structs import replace

from serai.api.core import Namespace
from serai.api.gateway import GATEWAY_NAME, RouteNamespaces
from serai.api.meta import Key
from serai.api.networking import USE_WAYPOINT
from serai.attach.gateways import Proxy
from serai.attach.selectors import admits
from serai.attach.transports import HBONE, PROXY
from serai.attach.verdict import Verdict, refused
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.ir.origin import Value
from serai.model.service import Service, WaypointLabels
from serai.model.waypoint_labels import (
    OPT_OUT,
    USE_WAYPOINT_NAMESPACE,
    ingress_by_waypoint,
    waypoint_labels,
)

MANAGED = "gateway.istio.io/managed"
_ALL = 100
"""Percent."""


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
    canary: Key | None = None
    """A second waypoint that is ready for its traffic.  Who sends picks one of the two."""
    no_canary: str = ""
    """Why the one that it wants is not."""

    @property
    def waypoints(self) -> tuple[Key, ...]:
        """Every waypoint that takes its traffic."""
        return tuple(each for each in (self.bound_to, self.canary) if each is not None)

    @property
    def bound_to(self) -> Key | None:
        """The waypoint that takes its traffic."""
        return self.waypoint if self.verdict.ok else None


class Asking(Value, frozen=True):
    """Who asks for a waypoint: a service, or a workload for what is sent to its own addresses."""

    namespace: str
    part_of_waypoint: bool
    traffic: str = "service"


class Wish(Value, frozen=True):
    """What labels ask for, and where they are."""

    labels: WaypointLabels | None
    because: str
    ingress: bool | None = None
    """Whether gateways are to go through the waypoint too; None if no label says."""


def namespace_wishes(graph: Graph, namespaces: Node[Key, Namespace]) -> Derived[Key, Wish]:
    """What Namespaces ask for on behalf of all that is in them; their other labels are no matter.

    Those that ask for nothing have no row.
    """

    def wish(_: Reader, key: Key, namespace: Namespace) -> Wish | None:
        meta = namespace.metadata
        labels = waypoint_labels(meta.labels, meta.annotations)
        because = f"{key} has {_show(labels)}" if labels else ""
        found = Wish(labels, because, ingress_by_waypoint(meta.labels))
        return None if found == Wish(None, "") else found

    return mapped(graph, "waypoints that Namespaces ask for", namespaces, wish)


def captures(
    graph: Graph,
    services: Node[Key, Service],
    namespaces: Node[Key, Namespace],
    wishes: Node[Key, Wish],
    proxies: Node[Key, Proxy],
) -> Derived[Key, Capture]:
    """What became of every service, by its key.  A service that asks for nothing has a row too."""

    def capture(reader: Reader, key: Key, service: Service) -> Capture:
        if not service.in_mesh:
            return Capture(key, refused("NotRequested", "only routes that name it send to it"))
        wish = wished(reader, wishes, key, service.waypoint)
        if wish.labels is None:
            return Capture(key, refused("NotRequested", "no label asks for a waypoint"))
        if wish.labels.name == OPT_OUT:
            return Capture(key, refused("OptedOut", wish.because), because=wish.because)
        waypoint = Key("Gateway", wish.labels.namespace or key.namespace, wish.labels.name)
        asking = Asking(key.namespace, is_part_of_waypoint(dict(service.labels)))
        proxy = reader.get(proxies, waypoint)
        verdict = bind(reader, namespaces, asking, waypoint, proxy)
        # Thousands have the same one.
        waypoint = proxy.key if proxy is not None else waypoint
        ingress = _ingress(reader, wishes, service)
        verdict = _with_ingress(verdict, ingress=ingress)
        if not verdict.ok or not wish.labels.canary:
            return Capture(key, verdict, waypoint, wish.because, ingress)
        canary = Key("Gateway", wish.labels.canary_namespace or key.namespace, wish.labels.canary)
        found = _weighed(canary, waypoint, wish.labels.canary_weight) or bind(
            reader, namespaces, asking, canary, reader.get(proxies, canary)
        )
        return replace(
            Capture(key, _with_canary(verdict, found), waypoint, wish.because, ingress),
            canary=canary if found.ok else None,
            no_canary="" if found.ok else found.message,
        )

    return mapped(graph, "captures", services, capture)


def wished(reader: Reader, wishes: Node[Key, Wish], asks: Key, own: WaypointLabels | None) -> Wish:
    """What an object asks for itself, else what its Namespace does for it."""
    if own is not None:
        return Wish(own, f"{asks} has {_show(own)}")
    return _inherited(reader, wishes, asks) or Wish(None, "")


def _inherited(reader: Reader, wishes: Node[Key, Wish], asks: Key) -> Wish | None:
    return reader.get(wishes, Key("Namespace", "", asks.namespace))


def _ingress(reader: Reader, wishes: Node[Key, Wish], service: Service) -> bool | None:
    if service.ingress_by_waypoint is not None:
        return service.ingress_by_waypoint
    inherited = _inherited(reader, wishes, service.key)
    return inherited.ingress if inherited else None


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


def _weighed(canary: Key, waypoint: Key, weight: str) -> Verdict | None:
    """What is wrong with a canary in itself; None if nothing is."""
    name = f"{canary.namespace}/{canary.name}"
    if canary == waypoint:
        message = f'canary waypoint "{name}" must differ from the primary waypoint'
        return refused("CanarySameAsPrimary", message)
    if weight and not (weight.isdecimal() and int(weight) <= _ALL):
        message = f'canary waypoint "{name}" has an invalid weight; must be an integer in [0,100]'
        return refused("CanaryInvalidWeight", message)
    return None


def _with_canary(verdict: Verdict, canary: Verdict) -> Verdict:
    if canary.ok:
        return verdict
    stop = "" if verdict.message.endswith(".") else "."
    message = f"{verdict.message}{stop} Canary waypoint not attached: {canary.message}"
    return Verdict(ok=True, reason=verdict.reason, message=message)


def _show(labels: WaypointLabels) -> str:
    shown = f"{USE_WAYPOINT}={labels.name}"
    return f"{shown}, {USE_WAYPOINT_NAMESPACE}={labels.namespace}" if labels.namespace else shown


def bind(
    reader: Reader,
    namespaces: Node[Key, Namespace],
    asking: Asking,
    key: Key,
    waypoint: Proxy | None,
) -> Verdict:
    """Whether a waypoint takes somebody's traffic."""
    name = f"{key.namespace}/{key.name}"
    if waypoint is None:
        return refused(
            "WaypointIsNotReady",
            f'waypoint "{name}" is not ready: no Gateway of that name with a class of ours.'
            " Its traffic goes straight to its endpoints, past all routes and policies",
        )
    if asking.part_of_waypoint:
        message = f"a waypoint's own {asking.traffic} cannot have a waypoint"
        return refused("UnsupportedTrafficType", message)
    if not waypoint.serves(asking.traffic):
        return refused(
            "UnsupportedTrafficType",
            f'attempting to bind to traffic type "{asking.traffic}" which the waypoint "{name}"'
            f" does not support; its label istio.io/waypoint-for must be {asking.traffic} or all",
        )
    rule = _admission(waypoint)
    if not admits(reader, namespaces, rule, key.namespace, asking.namespace):
        return refused(
            "AttachmentDenied",
            f'we are not permitted to attach to waypoint "{name}" (missing allowedRoutes?);'
            f" its listener admits namespaces from: {rule.from_}",
        )
    return _attached(name)


@lru_cache(maxsize=1_000)
def _attached(waypoint: str) -> Verdict:
    """One and the same for all that is attached."""
    message = f"Successfully attached to waypoint {waypoint}"
    return Verdict(ok=True, reason="WaypointAccepted", message=message)


def is_part_of_waypoint(labels: Mapping[str, str]) -> bool:
    """Whether an object is of what runs a waypoint, by its labels."""
    return MANAGED in labels and GATEWAY_NAME in labels


def _admission(waypoint: Proxy) -> RouteNamespaces:
    """AllowedRoutes of the listener that callers reach; without a listener, the same namespace."""
    for protocol in (PROXY, HBONE):
        for listener in waypoint.listeners:
            if listener.protocol == protocol:
                return listener.allowed_routes.namespaces
    return RouteNamespaces()
