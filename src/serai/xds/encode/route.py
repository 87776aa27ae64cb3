"""ir.RouteConfiguration and ir.Scope -> RouteConfiguration and ScopedRouteConfiguration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from serai.api.meta import Key
from serai.ir.leaf import Leaf
from serai.ir.match import PathKind
from serai.ir.origin import Origin
from serai.ir.route import (
    NO_MUTATIONS,
    DirectResponse,
    Forward,
    HeaderMutations,
    PathRewrite,
    Redirect,
    Route,
    Scope,
    VirtualHost,
    WeightedCluster,
)
from serai.ir.route import RouteConfiguration as IrRoutes
from serai.policies.internal_redirect import INTERNAL_REDIRECT
from serai.proto.envoy import RouteConfiguration, ScopedRouteConfiguration
from serai.proto.envoy import VirtualHost as EncodedHost
from serai.translate.names import DESTINATION_HEADER, INVALID_BACKEND
from serai.xds.encode.body import field_head, of_body
from serai.xds.encode.dynamic import filter_config
from serai.xds.encode.format import substitution
from serai.xds.encode.forward import mirrors, retry_policy, session_config
from serai.xds.encode.leaving import stays
from serai.xds.encode.match import encode_match
from serai.xds.encode.policies import (
    action_fields,
    outer_filters,
    route_fields,
    route_filters,
    stat_prefix,
)
from serai.xds.encode.splice import spliced
from serai.xds.encode.split import shares_as_routes
from serai.xds.references import references_of_host
from serai.xds.resource import Resource, ResourceKey, ResourceType

_HOSTS = 2
"""The number of the field RouteConfiguration.virtual_hosts."""

_OF_ALL_HOSTS = RouteConfiguration(
    ignore_port_in_host_matching=True, typed_per_filter_config=stays()
).SerializeToString()
_FEW = 8
"""Policies that another host may have as well."""
_NOBODY = Origin(Key("", "", ""))
_HIDDEN = HeaderMutations(remove=(DESTINATION_HEADER,))
_STATUS = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}


def encode_routes(routes: IrRoutes, trust_domains: tuple[str, ...]) -> Resource:
    """A route configuration."""
    return join_hosts(routes, [encode_host(host, trust_domains) for host in routes.virtual_hosts])


class HostBytes(msgspec.Struct, frozen=True, gc=False):
    """A virtual host by itself: the field of its route configuration, and what it names."""

    field: bytes
    references: tuple[ResourceKey, ...]


def encode_host(host: VirtualHost, trust_domains: tuple[str, ...]) -> HostBytes:
    """A virtual host, for `join_hosts`."""
    if (plain := _plain(host)) is None:
        body = whole_host(host, trust_domains)
        return HostBytes(field_head(_HOSTS, len(body)) + body, references_of_host(body))
    shape, named = plain
    body = spliced(_named, (shape, trust_domains), named)
    only = (ResourceKey(ResourceType.CLUSTER, named[0]),)
    found = references_of_host(body) if host.routes[0].leaves or host.leaves else only
    return HostBytes(field_head(_HOSTS, len(body)) + body, found)


def whole_host(host: VirtualHost, trust_domains: tuple[str, ...]) -> bytes:
    """A virtual host, made for itself."""
    message = EncodedHost(**_virtual_host(host, trust_domains))
    return message.SerializeToString(deterministic=True)


def _plain(host: VirtualHost) -> tuple[VirtualHost, tuple[str, str]] | None:
    """All of a virtual host but the names of its only cluster and its only route, and those.

    None where it has more of them, or looks at one.
    """
    if len(host.routes) != 1 or len(host.leaves) > _FEW:
        return None
    (route,) = host.routes
    forward = route.action
    if not isinstance(forward, Forward) or len(forward.clusters) != 1:
        return None
    if len(route.leaves) > _FEW or stat_prefix(route):
        return None
    (cluster,) = forward.clusters
    if not cluster.cluster or forward.mirrors or cluster.leaves:
        return None
    nobody = replace(cluster, cluster="", destination=None)
    action = replace(forward, clusters=(nobody,))
    shape = replace(
        route, name="", action=action, origin=_NOBODY, leaves=_without_origins(route.leaves)
    )
    shapes = replace(host, routes=(shape,), leaves=_without_origins(host.leaves))
    return shapes, (cluster.cluster, route.name)


def _without_origins(leaves: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    return tuple(replace(each, origin=_NOBODY) for each in leaves)


def _named(shape: tuple[VirtualHost, tuple[str, ...]], named: tuple[str, ...]) -> bytes:
    """What `_plain` took apart; the names are in the order of the bytes."""
    host, trust_domains = shape
    (route,) = host.routes
    forward: Any = route.action
    (nobody,) = forward.clusters
    action = replace(forward, clusters=(replace(nobody, cluster=named[0]),))
    return whole_host(
        replace(host, routes=(replace(route, name=named[1], action=action),)), trust_domains
    )


def join_hosts(routes: IrRoutes, hosts: Sequence[HostBytes]) -> Resource:
    """What `encode_routes` gives, byte for byte, from virtual hosts that were encoded before."""
    before = RouteConfiguration(name=routes.name).SerializeToString()
    body = b"".join((before, *(each.field for each in hosts), _OF_ALL_HOSTS))
    named = tuple(dict.fromkeys(name for each in hosts for name in each.references))
    return of_body(ResourceType.ROUTES, routes.name, body, routes.origins, named)


def encode_scope(scope: Scope) -> Resource:
    """A scope: what the header says, and the route configuration for it."""
    body = spliced(_scope, None, (scope.name, scope.routes, scope.key))
    routes = ResourceKey(ResourceType.ROUTES, scope.routes)
    return of_body(ResourceType.SCOPE, scope.name, body, (scope.origin,), (routes,))


def _scope(_: None, texts: tuple[str, ...]) -> bytes:
    name, routes, key = texts
    message = ScopedRouteConfiguration(
        name=name,
        route_configuration_name=routes,
        key={"fragments": [{"string_key": key}]},
    )
    return message.SerializeToString()


def _virtual_host(host: VirtualHost, trust_domains: tuple[str, ...]) -> dict[str, Any]:
    """The header that chose the route configuration reaches no endpoint.

    But for redirects that are followed Envoy looks for routes by what is left of the request.
    """
    follows = any(map(_follows, host.routes))
    return {
        "name": host.name,
        "request_headers_to_remove": () if follows else (DESTINATION_HEADER,),
        "domains": host.domains,
        "routes": [
            _route(each, host, trust_domains, below)
            for route in (map(_hiding, host.routes) if follows else host.routes)
            for each, below in shares_as_routes(route)
        ],
        "typed_per_filter_config": route_filters(host.leaves, by_claims=host.by_claims),
    }


def _follows(route: Route) -> bool:
    return any(leaf.feature == INTERNAL_REDIRECT.name for leaf in route.leaves)


def _hiding(route: Route) -> Route:
    """A route that removes the header itself, beside one that must not."""
    if _follows(route):
        return route
    return replace(route, request_headers=route.request_headers.then(_HIDDEN))


def _route(
    written: Route, host: VirtualHost, trust_domains: tuple[str, ...], below: int | None
) -> dict[str, Any]:
    route = _changing_headers_last(written)
    own = route_filters(route.leaves, host.leaves, by_claims=host.by_claims)
    outer, _ = outer_filters(route.leaves)
    filters = {**own, **_look_up(route), **_kept(route), **outer}
    return {
        "name": route.name,
        "match": encode_match(route.match, trust_domains, below),
        **route_fields(route.leaves),
        **_action(route, host),
        "typed_per_filter_config": filters,
        **stat_prefix(route),
        **_mutations(route.request_headers, "request"),
        **_mutations(route.response_headers, "response"),
    }


def _changing_headers_last(route: Route) -> Route:
    """A route whose clusters' changes to headers come after its own.

    Envoy makes a weighted cluster's before those of its route, whatever
    most_specific_header_mutations_wins says; so where a cluster has any, all are its.
    """
    forward = route.action
    if not isinstance(forward, Forward) or not any(map(_changes_headers, forward.clusters)):
        return route
    clusters = tuple(
        replace(
            each,
            request_headers=route.request_headers.then(each.request_headers),
            response_headers=route.response_headers.then(each.response_headers),
        )
        for each in forward.clusters
    )
    return replace(
        route,
        action=replace(forward, clusters=clusters),
        request_headers=NO_MUTATIONS,
        response_headers=NO_MUTATIONS,
    )


def _look_up(route: Route) -> dict[str, Any]:
    forward = route.action
    if not isinstance(forward, Forward) or _is_shared(forward, route):
        return {}
    return filter_config(forward.clusters[0], forward.rewrite_host)


def _kept(route: Route) -> dict[str, Any]:
    """The session of the route, else of the only service that it sends to."""
    forward = route.action
    if not isinstance(forward, Forward):
        return {}
    only = None if _is_shared(forward, route) else forward.clusters[0].session
    return session_config(forward.session or only)


def _is_shared(forward: Forward, route: Route) -> bool:
    """Whether something is said of its clusters that Envoy takes of weighted clusters only."""
    first, *others = forward.clusters
    said = _changes_headers(first) or bool(first.leaves)
    return said or bool(others) or any(outer_filters(route.leaves))


def _action(route: Route, host: VirtualHost) -> dict[str, Any]:
    match route.action:
        case Forward() as forward:
            return {"route": _forward(forward, route, host)}
        case Redirect() as redirect:
            return {"redirect": _redirect(redirect, route)}
        case DirectResponse() as answer:
            return {"direct_response": _answer(answer)}


def _answer(answer: DirectResponse) -> dict[str, Any]:
    if answer.body_format is not None:
        return {"status": answer.status, "body_format": substitution(answer.body_format)}
    text = {"body": {"inline_string": answer.body}} if answer.body else {}
    return {"status": answer.status, **text}


def _forward(forward: Forward, route: Route, host: VirtualHost) -> dict[str, Any]:
    action: dict[str, Any] = {
        "timeout": timedelta(),
        **_by_policies(forward, route),
        **_clusters(forward, route, by_claims=host.by_claims),
        "cluster_not_found_response_code": _not_found(forward),
        **encode_rewrite(forward.rewrite_path, route),
    }
    if forward.request_timeout_seconds is not None:
        action["timeout"] = timedelta(seconds=forward.request_timeout_seconds)
    if forward.rewrite_host is not None:
        action["host_rewrite_literal"] = forward.rewrite_host
    return {**action, **retry_policy(forward), **mirrors(forward.mirrors)}


def _by_policies(forward: Forward, route: Route) -> dict[str, Any]:
    """What policies say of the action, where the route itself says nothing of it."""
    found = action_fields(route.leaves)
    if forward.rewrite_path is not None:
        found.pop("regex_rewrite", None)
    if forward.rewrite_host is not None:
        found.pop("auto_host_rewrite", None)
    return found


def _not_found(forward: Forward) -> str:
    missing = {each.status for each in forward.clusters if each.cluster is None}
    return "SERVICE_UNAVAILABLE" if missing == {503} else "INTERNAL_SERVER_ERROR"


def _clusters(forward: Forward, route: Route, *, by_claims: bool) -> dict[str, Any]:
    if not _is_shared(forward, route):
        return {"cluster": forward.clusters[0].cluster or INVALID_BACKEND}
    _, inner = outer_filters(route.leaves)
    return {
        "weighted_clusters": {
            "clusters": [
                {
                    "name": each.cluster or INVALID_BACKEND,
                    "weight": {"value": each.weight},
                    **_mutations(each.request_headers, "request"),
                    **_mutations(each.response_headers, "response"),
                    "typed_per_filter_config": {
                        **(route_filters(each.leaves, by_claims=by_claims) or inner),
                        **filter_config(each, forward.rewrite_host),
                        **session_config(None if forward.session else each.session),
                    },
                }
                for each in forward.clusters
            ]
        }
    }


def _changes_headers(cluster: WeightedCluster) -> bool:
    return (cluster.request_headers, cluster.response_headers) != (NO_MUTATIONS, NO_MUTATIONS)


def _redirect(redirect: Redirect, route: Route) -> dict[str, Any]:
    action: dict[str, Any] = {"response_code": _STATUS[redirect.status]}
    if redirect.scheme:
        action["scheme_redirect"] = redirect.scheme
    if redirect.host:
        action["host_redirect"] = redirect.host
    if redirect.port:
        action["port_redirect"] = redirect.port
    if redirect.path is not None and not redirect.path.prefix:
        return {**action, "path_redirect": redirect.path.value}
    return {**action, **encode_rewrite(redirect.path, route)}


def encode_rewrite(path: PathRewrite | None, route: Route) -> dict[str, Any]:
    """A new path; in place of a prefix it must leave exactly one slash between the parts.

    Gateway API: HTTPPathModifier.
    """
    if path is None:
        return {}
    if not path.prefix:
        return _regex_rewrite("^/.*$", path.value)
    matched = route.match.path
    prefix = matched.value.rstrip("/") if matched.kind is PathKind.PREFIX else matched.value
    replacement = path.value.rstrip("/")
    if prefix and replacement:
        return {"prefix_rewrite": replacement}
    return _regex_rewrite(f"^{re.escape(prefix)}/*", f"{replacement}/")


def _regex_rewrite(pattern: str, substitution: str) -> dict[str, Any]:
    literal = substitution.replace("\\", "\\\\")
    return {"regex_rewrite": {"pattern": {"regex": pattern}, "substitution": literal}}


def _mutations(mutations: HeaderMutations, side: str) -> dict[str, Any]:
    added = [
        *(_header(name, value, "OVERWRITE_IF_EXISTS_OR_ADD") for name, value in mutations.set),
        *(_header(name, value, "APPEND_IF_EXISTS_OR_ADD") for name, value in mutations.add),
    ]
    found: dict[str, Any] = {}
    if added:
        found[f"{side}_headers_to_add"] = added
    if mutations.remove:
        found[f"{side}_headers_to_remove"] = mutations.remove
    return found


def _header(name: str, value: str, action: str) -> dict[str, Any]:
    """A user's percent sign is no operator of Envoy's."""
    return {
        "header": {"key": name, "value": value.replace("%", "%%")},
        "append_action": action,
        "keep_empty_value": True,
    }
