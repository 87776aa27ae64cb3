"""Which of the objects behind a refused resource Envoy refuses it for."""

from __future__ import annotations

from typing import Any

from serai.envoy.binary import EnvoyBinary
from serai.envoy.validate import refusal
from serai.ir.origin import Origin
from serai.proto.envoy import HttpConnectionManager, RouteConfiguration, Router
from serai.proto.json import to_json
from serai.proto.pool import pack
from serai.xds.resource import ResourceType

MOST_TRIED = 64
"""Objects whose parts are tried one by one; for more, all are told."""


async def guilty(
    binary: EnvoyBinary, type_: ResourceType, body: bytes, origins: tuple[Origin, ...]
) -> tuple[Origin, ...]:
    """Those of the origins whose own part Envoy refuses; all of them where that cannot be told.

    A route configuration is made of several objects' routes, each of which is tried alone.
    """
    routes = [origin for origin in origins if origin.key.kind.endswith("Route")]
    keys = dict.fromkeys(origin.key for origin in routes)
    if type_ is not ResourceType.ROUTES or not 1 < len(keys) <= MOST_TRIED:
        return tuple(routes) if type_ is ResourceType.ROUTES and routes else origins
    found = []
    for key in keys:
        part = _part(body, f"{key.namespaced_name}/")
        try:
            if await refusal(binary, _bootstrap(part)):
                found.append(key)
        except (OSError, TimeoutError):
            return origins
    return tuple(origin for origin in routes if origin.key in found) or origins


def _part(body: bytes, prefix: str) -> Any:
    """The configuration with the routes of one object only; their names begin with its own."""
    configuration: Any = RouteConfiguration.FromString(body)
    for host in configuration.virtual_hosts:
        kept = [route for route in host.routes if route.name.startswith(prefix)]
        del host.routes[:]
        host.routes.extend(kept)
    return configuration


def _bootstrap(configuration: Any) -> dict[str, Any]:
    configuration.validate_clusters.value = False
    manager = HttpConnectionManager(
        stat_prefix="validate",
        http_filters=[{"name": "envoy.filters.http.router", "typed_config": pack(Router())}],
    )
    written = to_json(manager) | {"route_config": to_json(configuration)}
    kind = "type.googleapis.com/" + manager.DESCRIPTOR.full_name
    listener = {
        "name": "validate",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [
            {"filters": [{"name": "http", "typed_config": {"@type": kind, **written}}]}
        ],
    }
    return {"static_resources": {"listeners": [listener]}}
