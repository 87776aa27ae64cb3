"""The table of kinds: what Serai reads, in which versions, and what people call it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from serai.api import core, gateway, networking
from serai.api.meta import Object
from serai.api.problem import Problem

GATEWAY_API = gateway.GROUP
ISTIO = "networking.istio.io"


class Kind(msgspec.Struct, frozen=True):
    """One kind of object."""

    struct: type[Object]
    group: str
    versions: tuple[str, ...]
    """Those an API server serves or once served, the preferred first; all decode alike."""
    plural: str
    short: tuple[str, ...] = ()
    """The abbreviations that kubectl knows, and those that people use."""
    namespaced: bool = True
    naming: Literal["subdomain", "label"] = "subdomain"
    """What metadata.name must be: an RFC 1123 subdomain or a label."""
    check: Callable[[Object], Iterable[Problem]] = lambda _: ()
    """What is wrong with an object's values, beyond their types."""

    @property
    def name(self) -> str:
        """The name of the kind, as in a manifest's ``kind``."""
        return self.struct.__name__

    @property
    def api_version(self) -> str:
        """The preferred apiVersion."""
        return f"{self.group}/{self.versions[0]}" if self.group else self.versions[0]


V1 = ("v1",)
V1_BETA1 = ("v1", "v1beta1")
GATEWAY_VERSIONS = ("v1", "v1beta1", "v1alpha2")
GRANT_VERSIONS = ("v1beta1", "v1", "v1alpha2")
ISTIO_VERSIONS = ("v1", "v1beta1", "v1alpha3")

KINDS: tuple[Kind, ...] = (
    Kind(core.Namespace, "", V1, "namespaces", ("ns",), namespaced=False, naming="label"),
    Kind(core.Node, "", V1, "nodes", ("no",), namespaced=False),
    Kind(core.Service, "", V1, "services", ("svc",), naming="label"),
    Kind(core.Pod, "", V1, "pods", ("po",)),
    Kind(core.Secret, "", V1, "secrets"),
    Kind(core.ConfigMap, "", V1, "configmaps", ("cm",)),
    Kind(core.EndpointSlice, "discovery.k8s.io", V1_BETA1, "endpointslices", ("eps",)),
    Kind(gateway.GatewayClass, GATEWAY_API, GATEWAY_VERSIONS, "gatewayclasses", ("gc",), False),
    Kind(gateway.Gateway, GATEWAY_API, GATEWAY_VERSIONS, "gateways", ("gtw", "gw")),
    Kind(gateway.HTTPRoute, GATEWAY_API, GATEWAY_VERSIONS, "httproutes"),
    Kind(gateway.ReferenceGrant, GATEWAY_API, GRANT_VERSIONS, "referencegrants", ("refgrant",)),
    Kind(networking.ServiceEntry, ISTIO, ISTIO_VERSIONS, "serviceentries", ("se",)),
    Kind(networking.WorkloadEntry, ISTIO, ISTIO_VERSIONS, "workloadentries", ("we",)),
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
    GATEWAY_API: frozenset(
        ["BackendTLSPolicy", "GRPCRoute", "ListenerSet", "TCPRoute", "TLSRoute", "UDPRoute"]
    ),
    ISTIO: frozenset(
        [
            "DestinationRule",
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
