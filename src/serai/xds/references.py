"""What a resource needs Envoy to have: the clusters, routes, chains and secrets it names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from serai.proto.envoy import Cluster, FilterChain, Listener, VirtualHost
from serai.proto.envoy import RouteConfiguration as Routes
from serai.proto.envoy import ScopedRouteConfiguration as Scope
from serai.proto.pool import TYPE_URL_PREFIX, message
from serai.translate.names import DESTINATION_HEADER
from serai.xds.resource import ResourceKey, ResourceType

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from serai.xds.resource import Resource

SCOPES = ResourceKey(ResourceType.SCOPE, "")
"""What everything names that looks scopes up, whichever they are."""

_EDS = 3
"""Cluster.DiscoveryType.EDS."""


def references(resource: Resource) -> tuple[ResourceKey, ...]:
    """The keys of what the resource names, each once, in the order in which they appear.

    Read from the message itself, so that no encoder can forget one.  A body that is not the
    message its type says has none.
    """
    if resource.references is not None:
        return resource.references
    reader = _READERS.get(resource.type)
    if reader is None:
        return ()
    try:
        return tuple(dict.fromkeys(reader(resource.body)))
    except DecodeError:
        return ()


def _of_cluster(body: bytes) -> Iterator[ResourceKey]:
    cluster: Any = Cluster.FromString(body)
    if cluster.type == _EDS:
        name = cluster.eds_cluster_config.service_name or cluster.name
        yield ResourceKey(ResourceType.ENDPOINTS, name)


def _of_scope(body: bytes) -> Iterator[ResourceKey]:
    scope: Any = Scope.FromString(body)
    if scope.route_configuration_name:
        yield ResourceKey(ResourceType.ROUTES, scope.route_configuration_name)
    if scope.HasField("route_configuration"):
        yield from _in_message(scope.route_configuration)


def references_of_host(body: bytes) -> tuple[ResourceKey, ...]:
    """Likewise of a virtual host by itself."""
    return tuple(dict.fromkeys(_of_virtual_host(VirtualHost.FromString(body))))


def _of_virtual_host(virtual_host: Any) -> Iterator[ResourceKey]:
    for route in virtual_host.routes:
        if route.HasField("route"):
            yield from _of_route_action(route.route)
        if route.typed_per_filter_config:
            yield from _in_map(route.typed_per_filter_config)
    if virtual_host.typed_per_filter_config:
        yield from _in_map(virtual_host.typed_per_filter_config)
    yield from _mirrors(virtual_host.request_mirror_policies)


def _of_routes(body: bytes) -> Iterator[ResourceKey]:
    routes: Any = Routes.FromString(body)
    for virtual_host in routes.virtual_hosts:
        yield from _of_virtual_host(virtual_host)
    if routes.typed_per_filter_config:
        yield from _in_map(routes.typed_per_filter_config)
    yield from _mirrors(routes.request_mirror_policies)


def _of_route_action(action: Any) -> Iterator[ResourceKey]:
    if action.cluster:
        yield ResourceKey(ResourceType.CLUSTER, action.cluster)
    elif action.HasField("weighted_clusters"):
        for cluster in action.weighted_clusters.clusters:
            yield ResourceKey(ResourceType.CLUSTER, cluster.name)
            if cluster.typed_per_filter_config:
                yield from _in_map(cluster.typed_per_filter_config)
    yield from _mirrors(action.request_mirror_policies)


def _mirrors(policies: Iterable[Any]) -> Iterator[ResourceKey]:
    for policy in policies:
        if policy.cluster:
            yield ResourceKey(ResourceType.CLUSTER, policy.cluster)


def _in_map(configs: Any) -> Iterator[ResourceKey]:
    for name in sorted(configs):
        if configs[name].type_url.endswith(_TOKENS):
            yield ResourceKey(ResourceType.EXTENSION, name)
        yield from _in_any(configs[name])


def _of_listener(body: bytes) -> Iterator[ResourceKey]:
    listener: Any = Listener.FromString(body)
    yield from _in_message(listener)
    if listener.HasField("fcds_config"):
        for name in _strings_of_actions(listener.filter_chain_matcher):
            yield ResourceKey(ResourceType.FILTER_CHAIN, name)


def _of_filter_chain(body: bytes) -> Iterator[ResourceKey]:
    yield from _in_message(FilterChain.FromString(body))


_CLUSTER_FIELDS = frozenset({"cluster", "cluster_name", "upstream_cluster"})
"""How Envoy's messages call the field that names a cluster."""

_WEIGHTED = "ClusterWeight"
_SECRET = "SdsSecretConfig"  # noqa: S105
_TOKENS = ".jwt_authn.v3.PerRouteConfig"
"""What a route says to a filter that comes by itself."""
_HEADER = "envoy.config.core.v3.HeaderValue"
_ANY = "google.protobuf.Any"
_STRING = "google.protobuf.StringValue"


def _in_message(value: Message) -> Iterator[ResourceKey]:
    """Every cluster, route configuration and secret named in the message, Anys included."""
    descriptor = value.DESCRIPTOR
    if descriptor.full_name == _ANY:
        yield from _in_any(value)
        return
    if descriptor.name == _SECRET:
        yield ResourceKey(ResourceType.SECRET, value.name)  # type: ignore[attr-defined]
        return
    if descriptor.full_name == _HEADER:
        yield from _scope(value)
        return
    weighted = descriptor.name == _WEIGHTED
    for field, content in value.ListFields():
        if field.name == "scoped_rds_config_source":
            yield SCOPES
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for item in _items(field, content):
                yield from _in_message(item)
        elif field.name == "route_config_name":
            yield ResourceKey(ResourceType.ROUTES, content)
        elif (
            field.type == FieldDescriptor.TYPE_STRING
            and isinstance(content, str)
            and (field.name in _CLUSTER_FIELDS or (weighted and field.name == "name"))
        ):
            yield ResourceKey(ResourceType.CLUSTER, content)


def _scope(header: Any) -> Iterator[ResourceKey]:
    """The scope that a connection manager finds all of its routes by, if it is but one."""
    if header.key == DESTINATION_HEADER and "%" not in header.value:
        yield ResourceKey(ResourceType.SCOPE, header.value)


def _items(field: FieldDescriptor, content: Any) -> Iterable[Message]:
    """The messages in a field: one, a list of them, or the values of a map."""
    if not field.is_repeated:
        return (content,)
    entry = field.message_type
    # Its options say it too; to be asked for them, protobuf loads 5 MiB.
    if entry is None or not isinstance(content, Mapping):
        return tuple(content)
    if entry.fields_by_name["value"].type != FieldDescriptor.TYPE_MESSAGE:
        return ()
    return tuple(content[key] for key in sorted(content))


def _in_any(value: Any) -> Iterator[ResourceKey]:
    inner = _unpack(value)
    if inner is not None:
        yield from _in_message(inner)


def _unpack(value: Any) -> Message | None:
    try:
        return message(value.type_url.removeprefix(TYPE_URL_PREFIX)).FromString(value.value)
    except (KeyError, DecodeError):
        return None


def _strings_of_actions(matcher: Message) -> Iterator[str]:
    """Chain names in a filter chain matcher: its actions are google.protobuf.StringValue."""
    for field, content in matcher.ListFields():
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            continue
        for item in _items(field, content):
            inner: Any = _unpack(item) if item.DESCRIPTOR.full_name == _ANY else item
            if inner is None:
                continue
            if inner.DESCRIPTOR.full_name == _STRING:
                yield inner.value
            else:
                yield from _strings_of_actions(inner)


_READERS: dict[ResourceType, Callable[[bytes], Iterator[ResourceKey]]] = {
    ResourceType.CLUSTER: _of_cluster,
    ResourceType.LISTENER: _of_listener,
    ResourceType.FILTER_CHAIN: _of_filter_chain,
    ResourceType.SCOPE: _of_scope,
    ResourceType.ROUTES: _of_routes,
}
