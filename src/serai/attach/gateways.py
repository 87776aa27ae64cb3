"""Which Gateways are ours, and whether each is a gateway or a waypoint."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from serai.api.gateway import AllowedListeners, Gateway, GatewayClass, Listener
from serai.api.gateway_tls import GatewayTLSConfig
from serai.api.kgateway import Inheritance, inheritance
from serai.api.meta import Key
from serai.attach.transports import HBONE, INBOUND_BINDING, PROXY, Transport, transports
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.ir.distribution import HOSTNAME, NETWORK
from serai.ir.origin import Value
from serai.ir.viewpoint import Viewpoint
from serai.model import locality
from serai.model.settings import Settings

CONTROLLER = "serai.dev/gateway-controller"
WAYPOINT_FOR = "istio.io/waypoint-for"
MESH_PROTOCOLS = frozenset({PROXY, HBONE})

OWN_CLASSES = frozenset({"serai", "serai-waypoint"})
BORROWED_CLASSES = frozenset({"kgateway", "kgateway-waypoint", "istio", "istio-waypoint"})
"""Classes of others that standalone takes too, so that existing manifests run as they are."""


class Role(StrEnum):
    """What a Gateway's proxy is there for."""

    GATEWAY = "gateway"
    WAYPOINT = "waypoint"


class Proxy(Value, frozen=True):
    """A Gateway of ours, as far as routing needs it."""

    key: Key
    role: Role
    class_name: str
    listeners: tuple[Listener, ...]
    waypoint_for: str = "service"
    """Of a waypoint: service, workload, all or none."""
    allowed_listeners: AllowedListeners = AllowedListeners()
    tls: GatewayTLSConfig | None = None
    transports: tuple[Transport, ...] = ()
    """Of a waypoint: how its clients come to it."""
    is_default: bool = False
    """Whether routes that ask for the default gateways attach to it."""
    annotations: tuple[tuple[str, str], ...] = ()
    """What its Envoys are to be annotated with."""
    inheritance: Inheritance | None = None
    """How its routes inherit its TrafficPolicies; None: theirs come first."""
    viewpoint: Viewpoint | None = None
    """Where its Envoys run that do not say it themselves, if that is known."""

    @property
    def name(self) -> str:
        """``namespace/name``, by which the proxy's Envoys ask for their configuration."""
        return self.key.namespaced_name

    @property
    def hears_names(self) -> bool:
        """Whether its clients may name a host in place of an address: HBONE carries both."""
        return any(each.protocol == HBONE for each in self.transports)

    def serves(self, traffic: str) -> bool:
        """Whether traffic to a "service", or to a "workload"'s own addresses, is captured by it."""
        return self.role is Role.WAYPOINT and self.waypoint_for in {traffic, "all"}


def proxy_key(name: str) -> Key:
    """The Gateway whose proxy is called so.  No Gateway has the key of a text without a slash."""
    namespace, _, gateway = name.partition("/")
    return Key("Gateway", namespace, gateway)


def proxies(
    graph: Graph,
    gateways: Node[Key, Gateway],
    classes: Node[Key, GatewayClass],
    settings: Settings,
) -> Derived[Key, Proxy]:
    """The Gateways whose class is ours, by key."""

    def proxy(reader: Reader, key: Key, gateway: Gateway) -> Proxy | None:
        name = gateway.spec.gateway_class_name
        gateway_class = reader.get(classes, Key("GatewayClass", "", name))
        if not is_ours(name, gateway_class, settings):
            return None
        role = _role(gateway, gateway_class)
        return Proxy(
            key=key,
            role=role,
            class_name=name,
            listeners=gateway.spec.listeners,
            waypoint_for=_waypoint_for(gateway, gateway_class),
            allowed_listeners=gateway.spec.allowed_listeners,
            tls=gateway.spec.tls,
            transports=transports(gateway, gateway_class, settings)
            if role is Role.WAYPOINT
            else (),
            is_default=role is Role.GATEWAY and gateway.spec.default_scope == "All",
            annotations=_annotations(gateway),
            inheritance=inheritance(gateway.metadata),
            viewpoint=_viewpoint(gateway, settings),
        )

    return mapped(graph, "proxies", gateways, proxy)


def _annotations(gateway: Gateway) -> tuple[tuple[str, str], ...]:
    """Gateway API: spec.infrastructure.annotations."""
    infrastructure = gateway.spec.infrastructure
    return tuple(sorted(infrastructure.annotations.items())) if infrastructure else ()


def _viewpoint(gateway: Gateway, settings: Settings) -> Viewpoint | None:
    """What the labels say that its Pods would have; else what the settings say.

    Gateway API: spec.infrastructure.labels.
    """
    labels = gateway.spec.infrastructure.labels if gateway.spec.infrastructure else {}
    shared = settings.viewpoint or Viewpoint()
    found = Viewpoint(
        locality.of_labels(labels) or shared.locality,
        labels.get(NETWORK) or shared.network,
        labels.get(HOSTNAME) or shared.node,
        tuple(sorted(labels.items())),
    )
    return None if found == Viewpoint() else found


def is_ours(name: str, gateway_class: GatewayClass | None, settings: Settings) -> bool:
    """Whether a GatewayClass is ours: it names our controller or, unwritten, goes by our names."""
    if gateway_class is not None:
        return gateway_class.spec.controller_name == CONTROLLER
    return settings.standalone and name in OWN_CLASSES | BORROWED_CLASSES


def is_waypoint_class(gateway_class: GatewayClass) -> bool:
    """Whether the Gateways of a class are waypoints, whatever they say themselves."""
    metadata = gateway_class.metadata
    marked = WAYPOINT_FOR in metadata.labels or INBOUND_BINDING in metadata.annotations
    return marked or metadata.name.endswith("-waypoint")


def _role(gateway: Gateway, gateway_class: GatewayClass | None) -> Role:
    for metadata in _metadata(gateway, gateway_class):
        if WAYPOINT_FOR in metadata[0] or INBOUND_BINDING in metadata[1]:
            return Role.WAYPOINT
    if any(listener.protocol in MESH_PROTOCOLS for listener in gateway.spec.listeners):
        return Role.WAYPOINT
    named = gateway.spec.gateway_class_name.endswith("-waypoint")
    return Role.WAYPOINT if named else Role.GATEWAY


def _waypoint_for(gateway: Gateway, gateway_class: GatewayClass | None) -> str:
    found = (labels.get(WAYPOINT_FOR) for labels, _ in _metadata(gateway, gateway_class))
    return next((value for value in found if value), "service")


def _metadata(
    gateway: Gateway, gateway_class: GatewayClass | None
) -> list[tuple[Mapping[str, str], Mapping[str, str]]]:
    """Labels and annotations, the Gateway's first: what it says beats what its class says."""
    written = [gateway.metadata, gateway_class.metadata] if gateway_class else [gateway.metadata]
    return [(each.labels, each.annotations) for each in written]
