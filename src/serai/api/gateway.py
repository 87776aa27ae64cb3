"""The Gateway API's kinds that are no routes: GatewayClass, Gateway, ReferenceGrant."""

from __future__ import annotations

from typing import Literal

from serai.api.gateway_tls import GatewayTLSConfig, ListenerTLSConfig
from serai.api.meta import LabelSelector, Object, Struct

GROUP = "gateway.networking.k8s.io"
GATEWAY_NAME = f"{GROUP}/gateway-name"
"""The label of what is deployed for a Gateway.  Gateway API: GEP-1762."""

DefaultScope = Literal["All", "None"]
"""Of Gateway.spec.defaultScope and useDefaultGateways of routes.  Gateway API: GEP-3793."""


class ParametersReference(Struct, frozen=True):
    """GatewayClass.spec.parametersRef and Gateway.spec.infrastructure.parametersRef.

    Only a GatewayClass's has a namespace.
    """

    group: str
    kind: str
    name: str
    namespace: str | None = None


class GatewayClassSpec(Struct, frozen=True):
    """GatewayClass.spec."""

    controller_name: str
    description: str = ""
    parameters_ref: ParametersReference | None = None


class GatewayClass(Object, frozen=True):
    """gateway.networking.k8s.io/v1 GatewayClass."""

    spec: GatewayClassSpec


class RouteNamespaces(Struct, frozen=True):
    """allowedRoutes.namespaces."""

    from_: Literal["All", "Same", "Selector", "None"] = "Same"
    selector: LabelSelector | None = None


class RouteGroupKind(Struct, frozen=True, omit_defaults=False):
    """allowedRoutes.kinds[]."""

    kind: str
    group: str = GROUP


class AllowedRoutes(Struct, frozen=True):
    """Gateway.spec.listeners[].allowedRoutes."""

    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: tuple[RouteGroupKind, ...] = ()


class Listener(Struct, frozen=True):
    """Gateway.spec.listeners[]."""

    name: str
    port: int
    protocol: str
    hostname: str | None = None
    tls: ListenerTLSConfig | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()


class ListenerNamespaces(Struct, frozen=True):
    """allowedListeners.namespaces."""

    from_: Literal["All", "Same", "Selector", "None"] = "None"
    selector: LabelSelector | None = None


class AllowedListeners(Struct, frozen=True):
    """Gateway.spec.allowedListeners: of which namespaces ListenerSets may add listeners."""

    namespaces: ListenerNamespaces = ListenerNamespaces()


class GatewayInfrastructure(Struct, frozen=True):
    """Gateway.spec.infrastructure."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    parameters_ref: ParametersReference | None = None


class GatewayAddress(Struct, frozen=True, omit_defaults=False):
    """Gateway.spec.addresses[]."""

    value: str = ""
    type: str = "IPAddress"


class GatewaySpec(Struct, frozen=True):
    """Gateway.spec."""

    gateway_class_name: str
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[GatewayAddress, ...] = ()
    infrastructure: GatewayInfrastructure | None = None
    allowed_listeners: AllowedListeners = AllowedListeners()
    tls: GatewayTLSConfig | None = None
    default_scope: DefaultScope | None = None


class GatewayStatus(Struct, frozen=True):
    """Gateway.status, as far as others write it."""

    addresses: tuple[GatewayAddress, ...] = ()


class Gateway(Object, frozen=True):
    """gateway.networking.k8s.io/v1 Gateway."""

    spec: GatewaySpec
    status: GatewayStatus = GatewayStatus()


class ParentReference(Struct, frozen=True, omit_defaults=False):
    """spec.parentRefs[] of every kind of route."""

    name: str
    group: str = GROUP
    kind: str = "Gateway"
    namespace: str | None = None
    section_name: str | None = None
    port: int | None = None


class GrantFrom(Struct, frozen=True):
    """ReferenceGrant.spec.from[]."""

    group: str
    kind: str
    namespace: str


class GrantTo(Struct, frozen=True):
    """ReferenceGrant.spec.to[]; no name means every object of that kind."""

    group: str
    kind: str
    name: str | None = None


class ReferenceGrantSpec(Struct, frozen=True):
    """ReferenceGrant.spec."""

    from_: tuple[GrantFrom, ...] = ()
    to: tuple[GrantTo, ...] = ()


class ReferenceGrant(Object, frozen=True):
    """gateway.networking.k8s.io/v1beta1 ReferenceGrant."""

    spec: ReferenceGrantSpec = ReferenceGrantSpec()
