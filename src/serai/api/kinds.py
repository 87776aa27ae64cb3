"""The table of kinds: what Serai reads, in which versions, and what people call it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec

from serai.api import (
    backend_policy,
    core,
    destination_rule,
    direct_response,
    gateway,
    gateway_extension,
    gateway_parameters,
    kgateway,
    kgateway_backend,
    listener_policy,
    listener_set,
    networking,
    security,
    streamroutes,
    traffic_policy,
    xbackend,
    xmesh,
)
from serai.api.grpcroute import GRPCRoute
from serai.api.httproute import HTTPRoute
from serai.api.meta import Object
from serai.api.problem import Problem
from serai.api.request_authentication import RequestAuthentication
from serai.api.validate_backend import (
    check_backend,
    check_backend_config,
    check_backend_tls,
    check_backend_traffic,
    check_destination_rule,
)
from serai.api.validate_core import (
    check_config_map,
    check_pod,
    check_secret,
    check_service,
    check_slice,
)
from serai.api.validate_direct_response import check_direct_response
from serai.api.validate_gateway import check_gateway_class
from serai.api.validate_listener_policy import (
    check_http_listener_policy,
    check_listener_policy,
)
from serai.api.validate_listeners import check_gateway, check_listener_set
from serai.api.validate_networking import check_service_entry, check_workload_entry
from serai.api.validate_routes import check_grpc_route, check_http_route, check_stream_route


class Api(msgspec.Struct, frozen=True):
    """A group and its versions."""

    group: str
    """Empty for Kubernetes' core."""
    versions: tuple[str, ...]
    """Those an API server serves or once served, the preferred first; all decode alike."""


class Kind(msgspec.Struct, frozen=True):
    """One kind of object."""

    struct: type[Object]
    api: Api
    plural: str
    short: tuple[str, ...] = ()
    """The abbreviations that kubectl knows, and those that people use."""
    check: Callable[[Any], Iterable[Problem]] = lambda _: ()
    """What is wrong with an object's values, beyond their types."""
    namespaced: bool = True
    naming: Literal["subdomain", "label"] = "subdomain"
    """What metadata.name must be: an RFC 1123 subdomain or a label."""
    restricts: bool = False
    """Whether it may say who gets in, so that one that cannot be read must not let everybody in."""
    encrypts: bool = False
    """Whether it may ask for TLS, so that one that cannot be read must not have plain text sent."""

    @property
    def name(self) -> str:
        """The name of the kind, as in a manifest's ``kind``."""
        return self.struct.__name__

    @property
    def group(self) -> str:
        """The API group; empty for Kubernetes' core."""
        return self.api.group

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions, the preferred first."""
        return self.api.versions

    @property
    def api_version(self) -> str:
        """The preferred apiVersion."""
        return f"{self.group}/{self.versions[0]}" if self.group else self.versions[0]


CORE = Api("", ("v1",))
DISCOVERY = Api("discovery.k8s.io", ("v1", "v1beta1"))
GATEWAY = Api(gateway.GROUP, ("v1", "v1beta1", "v1alpha2"))
STREAMS = Api(gateway.GROUP, ("v1", "v1alpha3", "v1alpha2"))
GRANT = Api(gateway.GROUP, ("v1beta1", "v1", "v1alpha2"))
ISTIO = Api(networking.GROUP, ("v1", "v1beta1", "v1alpha3"))
KGATEWAY = Api(kgateway.GROUP, ("v1alpha1",))
BACKEND_TLS = Api(gateway.GROUP, ("v1", "v1alpha3"))
X_GATEWAY = Api(backend_policy.EXPERIMENTAL_GROUP, ("v1alpha1",))
SECURITY = Api(security.GROUP, ("v1", "v1beta1"))

KINDS: tuple[Kind, ...] = (
    Kind(core.Namespace, CORE, "namespaces", ("ns",), namespaced=False, naming="label"),
    Kind(core.Node, CORE, "nodes", ("no",), namespaced=False),
    Kind(core.Service, CORE, "services", ("svc",), check_service, naming="label"),
    Kind(core.Pod, CORE, "pods", ("po",), check_pod),
    Kind(core.Secret, CORE, "secrets", (), check_secret),
    Kind(core.ConfigMap, CORE, "configmaps", ("cm",), check_config_map),
    Kind(core.EndpointSlice, DISCOVERY, "endpointslices", ("eps",), check_slice),
    Kind(gateway.GatewayClass, GATEWAY, "gatewayclasses", ("gc",), check_gateway_class, False),
    Kind(gateway.Gateway, GATEWAY, "gateways", ("gtw", "gw"), check_gateway),
    Kind(listener_set.ListenerSet, GATEWAY, "listenersets", ("lset",), check_listener_set),
    Kind(HTTPRoute, GATEWAY, "httproutes", (), check_http_route),
    Kind(GRPCRoute, GATEWAY, "grpcroutes", (), check_grpc_route),
    Kind(streamroutes.TLSRoute, STREAMS, "tlsroutes", (), check_stream_route),
    Kind(streamroutes.TCPRoute, STREAMS, "tcproutes", (), check_stream_route),
    Kind(streamroutes.UDPRoute, STREAMS, "udproutes", (), check_stream_route),
    Kind(xbackend.XBackend, X_GATEWAY, "xbackends", (), xbackend.check_xbackend),
    Kind(xmesh.XMesh, X_GATEWAY, "xmeshes", ("mesh",), namespaced=False),
    Kind(gateway.ReferenceGrant, GRANT, "referencegrants", ("refgrant",)),
    Kind(networking.ServiceEntry, ISTIO, "serviceentries", ("se",), check_service_entry),
    Kind(networking.WorkloadEntry, ISTIO, "workloadentries", ("we",), check_workload_entry),
    Kind(traffic_policy.TrafficPolicy, KGATEWAY, "trafficpolicies", restricts=True),
    Kind(
        destination_rule.DestinationRule,
        ISTIO,
        "destinationrules",
        ("dr",),
        check_destination_rule,
    ),
    Kind(
        backend_policy.BackendTLSPolicy,
        BACKEND_TLS,
        "backendtlspolicies",
        ("btlspolicy",),
        check_backend_tls,
        encrypts=True,
    ),
    Kind(
        backend_policy.XBackendTrafficPolicy,
        X_GATEWAY,
        "xbackendtrafficpolicies",
        ("xbtrafficpolicy",),
        check_backend_traffic,
    ),
    Kind(
        kgateway_backend.BackendConfigPolicy,
        KGATEWAY,
        "backendconfigpolicies",
        (),
        check_backend_config,
        encrypts=True,
    ),
    Kind(kgateway_backend.Backend, KGATEWAY, "backends", (), check_backend),
    Kind(
        gateway_extension.GatewayExtension,
        KGATEWAY,
        "gatewayextensions",
        (),
        gateway_extension.check_gateway_extension,
    ),
    Kind(gateway_parameters.GatewayParameters, KGATEWAY, "gatewayparameters"),
    Kind(
        security.AuthorizationPolicy,
        SECURITY,
        "authorizationpolicies",
        ("ap",),
        restricts=True,
    ),
    Kind(RequestAuthentication, SECURITY, "requestauthentications", ("ra",), restricts=True),
    Kind(
        listener_policy.ListenerPolicy,
        KGATEWAY,
        "listenerpolicies",
        (),
        check_listener_policy,
        restricts=True,
    ),
    Kind(
        listener_policy.HTTPListenerPolicy,
        KGATEWAY,
        "httplistenerpolicies",
        (),
        check_http_listener_policy,
    ),
    Kind(direct_response.DirectResponse, KGATEWAY, "directresponses", (), check_direct_response),
)

UNREAD: dict[str, frozenset[str]] = {
    "": frozenset(
        [
            "Binding",
            "ComponentStatus",
            "Endpoints",
            "Event",
            "LimitRange",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "PodTemplate",
            "ReplicationController",
            "ResourceQuota",
            "ServiceAccount",
        ]
    ),
    SECURITY.group: frozenset(["PeerAuthentication"]),
    ISTIO.group: frozenset(
        [
            "EnvoyFilter",
            "Gateway",
            "ProxyConfig",
            "Sidecar",
            "VirtualService",
            "WorkloadGroup",
        ]
    ),
}
"""Kinds of the groups above that exist and that Serai does not read."""

COMMON_WORDS = frozenset(kind.name for kind in KINDS if not kind.group) | {"Gateway"}
"""Kinds whose name is also that of others' kinds, such as Knative's Service."""

NAMES: tuple[str, ...] = tuple(kind.name for kind in KINDS)

GROUPS: frozenset[str] = frozenset(kind.group for kind in KINDS)

_BY_KIND = {kind.name: kind for kind in KINDS}
_BY_TYPE = {(kind.group, kind.name): kind for kind in KINDS}
_BY_ALIAS = {
    alias: kind for kind in KINDS for alias in (kind.name.lower(), kind.plural, *kind.short)
}


def split_api_version(api_version: str) -> tuple[str, str]:
    """The group (empty for Kubernetes' core) and the version of an apiVersion."""
    group, _, version = api_version.rpartition("/")
    return group, version


def by_type(api_version: str, name: str) -> Kind | None:
    """The kind of an object's apiVersion and kind, in any version; None if it is not ours."""
    return _BY_TYPE.get((split_api_version(api_version)[0], name))


def by_kind(name: str) -> Kind | None:
    """The kind with this name, as in a manifest's ``kind``."""
    return _BY_KIND.get(name)


def by_alias(word: str) -> Kind | None:
    """The kind that a person means by a name, plural or abbreviation, in any case.

    ``svc``, ``Service``, ``services`` and ``services.v1`` are all Service; a group may follow
    after a dot, as with kubectl: ``gateways.gateway.networking.k8s.io``.
    """
    name, _, group = word.lower().partition(".")
    kind = _BY_ALIAS.get(name)
    return kind if kind and (not group or group in _qualifiers(kind)) else None


def _qualifiers(kind: Kind) -> set[str]:
    versions = {f"{version}.{kind.group}".rstrip(".") for version in kind.versions}
    return {kind.group, *versions} - {""}
