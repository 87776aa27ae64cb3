"""The tables that sources fill: one for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from serai.api import (
    backend_policy,
    core,
    destination_rule,
    direct_response,
    gateway,
    gateway_extension,
    gateway_parameters,
    kgateway_backend,
    listener_policy,
    networking,
    request_authentication,
    security,
    streamroutes,
    traffic_policy,
)
from serai.api.grpcroute import GRPCRoute
from serai.api.httproute import HTTPRoute
from serai.api.listener_set import ListenerSet
from serai.api.meta import Key, Object
from serai.api.routes import Route
from serai.api.unread import Unread
from serai.api.xbackend import XBackend
from serai.api.xmesh import XMesh
from serai.incremental import Graph, Node, Table, Union
from serai.ir.viewpoint import Viewpoint
from serai.model.issuers import Issuer
from serai.model.key_sets import Fetched
from serai.model.others import OtherBackend, OtherGateway, OtherKey, OtherService
from serai.model.service import Service
from serai.model.vips import Vips

CLUSTER_POLICIES: tuple[type[Object], ...] = (
    backend_policy.BackendTLSPolicy,
    kgateway_backend.BackendConfigPolicy,
    backend_policy.XBackendTrafficPolicy,
)
"""Policies that name services, and say how to send to them."""

REQUEST_POLICIES: tuple[type[Object], ...] = (
    traffic_policy.TrafficPolicy,
    security.AuthorizationPolicy,
    request_authentication.RequestAuthentication,
)
"""Policies that say what happens to requests."""

LISTENER_POLICIES: tuple[type[Object], ...] = (
    listener_policy.ListenerPolicy,
    listener_policy.HTTPListenerPolicy,
)
"""Policies that say what holds for all clients of a listener."""

EXTENSIONS: tuple[type[Object], ...] = (gateway_extension.GatewayExtension,)
"""What those policies name as whom they ask."""

FILTERS: tuple[type[Object], ...] = (direct_response.DirectResponse,)
"""What rules of routes name as filters, beside policies."""

BY_KIND_ONLY: tuple[type[Object], ...] = (
    *CLUSTER_POLICIES,
    *REQUEST_POLICIES,
    *EXTENSIONS,
    *FILTERS,
    *LISTENER_POLICIES,
    XBackend,
    gateway_parameters.GatewayParameters,
)
"""Kinds whose tables have no name but that of the kind."""


class ViewpointKey(NamedTuple):
    """A place from which clients of a proxy look."""

    proxy: Key
    viewpoint: Viewpoint


class Inputs:
    """What users wrote, by kind and key."""

    def __init__(self, graph: Graph) -> None:
        def table(kind: type[Object]) -> Table[Key, Any]:
            return Table(graph, kind.__name__)

        self.namespaces: Table[Key, core.Namespace] = table(core.Namespace)
        self.nodes: Table[Key, core.Node] = table(core.Node)
        self.services: Table[Key, core.Service] = table(core.Service)
        self.endpoint_slices: Table[Key, core.EndpointSlice] = table(core.EndpointSlice)
        self.pods: Table[Key, core.Pod] = table(core.Pod)
        self.secrets: Table[Key, core.Secret] = table(core.Secret)
        self.config_maps: Table[Key, core.ConfigMap] = table(core.ConfigMap)
        self.gateway_classes: Table[Key, gateway.GatewayClass] = table(gateway.GatewayClass)
        self.gateways: Table[Key, gateway.Gateway] = table(gateway.Gateway)
        self.listener_sets: Table[Key, ListenerSet] = table(ListenerSet)
        self.http_routes: Table[Key, HTTPRoute] = table(HTTPRoute)
        self.grpc_routes: Table[Key, GRPCRoute] = table(GRPCRoute)
        self.tls_routes: Table[Key, streamroutes.TLSRoute] = table(streamroutes.TLSRoute)
        self.tcp_routes: Table[Key, streamroutes.TCPRoute] = table(streamroutes.TCPRoute)
        self.udp_routes: Table[Key, streamroutes.UDPRoute] = table(streamroutes.UDPRoute)
        self.routes = self._all_routes(graph)
        self.meshes: Table[Key, XMesh] = table(XMesh)
        self.grants: Table[Key, gateway.ReferenceGrant] = table(gateway.ReferenceGrant)
        self.service_entries: Table[Key, networking.ServiceEntry] = table(networking.ServiceEntry)
        self.workload_entries: Table[Key, networking.WorkloadEntry] = table(
            networking.WorkloadEntry
        )
        self.destination_rules: Table[Key, destination_rule.DestinationRule] = table(
            destination_rule.DestinationRule
        )
        self.backends: Table[Key, kgateway_backend.Backend] = table(kgateway_backend.Backend)
        self._by_who_runs_proxies(graph)
        self._by_who_follows_clusters(graph)
        self.unread: Table[Key, Unread] = Table(graph, "unread")
        """What stands in for objects that cannot be read."""
        self.vips: Table[Key, Vips] = Table(graph, "VIPs")
        """What was allocated to each object that is to have VIPs, by who remembers it."""
        self.by_kind: Mapping[str, Table[Key, Any]] = {
            node.name: node for node in vars(self).values() if isinstance(node, Table)
        } | {kind.__name__: table(kind) for kind in BY_KIND_ONLY}

    def _by_who_follows_clusters(self, graph: Graph) -> None:
        self.other_backends: Table[OtherKey, OtherBackend] = Table(graph, "backends elsewhere")
        """What other clusters have endpoints of."""
        self.other_services: Table[OtherService, Service] = Table(graph, "services elsewhere")
        """The Services that other clusters share."""
        self.other_gateways: Table[OtherGateway, Any] = Table(graph, "gateways elsewhere")
        """Where the networks of other clusters are entered."""

    def _by_who_runs_proxies(self, graph: Graph) -> None:
        self.viewpoints: Table[ViewpointKey, Viewpoint] = Table(graph, "viewpoints")
        """Where the clients of each proxy are, by who talks to them; those at our own not."""
        self.gateway_addresses: Table[Key, tuple[str, ...]] = Table(graph, "gateway addresses")
        """Where each Gateway's proxy listens."""
        self.unusable_addresses: Table[Key, tuple[str, ...]] = Table(graph, "unusable addresses")
        """Those that each Gateway asks for and that its proxy cannot listen on."""
        self.untimely: Table[Key, str] = Table(graph, "untimely certificates")
        """What is wrong with the time of each Secret's certificate, by who has a clock."""
        self.key_sets: Table[Any, Fetched] = Table(graph, "key sets")
        """Keys that issuers of tokens publish, by where they are fetched, by who fetches them."""
        self.retired_tokens: Table[Any, Any] = Table(graph, "retired tokens")
        """What routes required of tokens until a moment ago, and some may still."""
        self.issuers: Table[str, Issuer] = Table(graph, "issuers")
        """What each issuer of tokens tells of itself, by its URI, by who has asked it."""
        self.bundles: Table[str, str] = Table(graph, "bundle versions")
        """Of which bundle each CRD is, by its name, by who sees CRDs; empty: it does not say."""

    def _all_routes(self, graph: Graph) -> Node[Key, Route]:
        tables: tuple[Node[Key, Route], ...] = (
            self.http_routes,
            self.grpc_routes,
            self.tls_routes,
            self.tcp_routes,
            self.udp_routes,
        )
        return Union(graph, "routes of all kinds", tables)

    def table(self, kind: str) -> Table[Key, Any]:
        """The table of a kind.  Raises KeyError for a kind that isn't read."""
        return self.by_kind[kind]

    def put(self, key: Key, obj: Object) -> None:
        """Add an object, by its key, or replace it; visible with the next commit."""
        if isinstance(obj, Unread):
            self.table(key.kind).drop(key)
            self.unread.put(key, obj)
            return
        self.unread.drop(key)
        self.table(key.kind).put(key, obj)

    def drop(self, key: Key) -> None:
        """Remove an object; visible with the next commit."""
        self.unread.drop(key)
        self.table(key.kind).drop(key)
