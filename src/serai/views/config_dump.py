"""One gateway's configuration in the shape of Envoy's ``/config_dump?include_eds``."""

from __future__ import annotations

from typing import Any

from serai.api.meta import Key
from serai.proto.pool import TYPE_URL_PREFIX
from serai.views.configuration import as_json, resources_of
from serai.views.pipeline import Pipeline
from serai.xds.resource import Resource, ResourceType

_SCOPES = "scopes"
"""What the connection managers call their scoped routes."""

Entry = dict[str, Any]


def config_dump(pipeline: Pipeline, gateway: Key) -> dict[str, Any]:
    """What an Envoy of this gateway would show once it has everything; without times.

    Envoy 1.40 does not show filter chains that it discovered one by one.  Here they are, as
    FilterChainsConfigDump, since without them half of a waypoint would be missing.
    """
    found = resources_of(pipeline)

    def each(kind: ResourceType) -> list[Resource]:
        return found.get((gateway, kind), [])

    return {
        "configs": [
            _part("Clusters", dynamic_active_clusters=_all(each(ResourceType.CLUSTER), "cluster")),
            _part(
                "Endpoints",
                dynamic_endpoint_configs=_all(each(ResourceType.ENDPOINTS), "endpoint_config"),
            ),
            _part(
                "FilterChains",
                dynamic_filter_chains=_all(each(ResourceType.FILTER_CHAIN), "filter_chain"),
            ),
            _part(
                "Listeners",
                dynamic_listeners=[
                    {"name": one.name, "active_state": _entry(one, "listener")}
                    for one in each(ResourceType.LISTENER)
                ],
            ),
            _part("Routes", dynamic_route_configs=_all(each(ResourceType.ROUTES), "route_config")),
            _part("ScopedRoutes", dynamic_scoped_route_configs=_scopes(each(ResourceType.SCOPE))),
            _part(
                "Secrets",
                dynamic_active_secrets=[
                    {"name": one.name, **_entry(one, "secret")} for one in each(ResourceType.SECRET)
                ],
            ),
        ]
    }


def _part(name: str, **entries: list[Entry]) -> dict[str, Any]:
    """Envoy leaves out what is empty."""
    kind = f"{TYPE_URL_PREFIX}envoy.admin.v3.{name}ConfigDump"
    return {"@type": kind, **{field: listed for field, listed in entries.items() if listed}}


def _all(resources: list[Resource], field: str) -> list[Entry]:
    return [_entry(each, field) for each in resources]


def _entry(resource: Resource, field: str) -> Entry:
    return {"version_info": resource.version, field: _typed(resource)}


def _typed(resource: Resource) -> Entry:
    return {"@type": resource.type.type_url, **as_json(resource)}


def _scopes(resources: list[Resource]) -> list[Entry]:
    if not resources:
        return []
    return [{"name": _SCOPES, "scoped_route_configs": [_typed(each) for each in resources]}]
