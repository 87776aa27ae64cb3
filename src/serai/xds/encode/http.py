"""ScopedRoutes and NamedRoutes -> HTTP connection manager."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from serai.ir.listener import NamedRoutes, ScopedRoutes
from serai.listener_policies.setting import Changes
from serai.proto.envoy import EarlyHeaderMutation, HttpConnectionManager, Router
from serai.translate.names import DESTINATION_HEADER
from serai.xds.encode import division, dynamic, leaving, policies
from serai.xds.encode.access_log import access_log
from serai.xds.encode.body import ADS, extension
from serai.xds.encode.forward import session_filter
from serai.xds.encode.identity import CONNECT_AUTHORITY
from serai.xds.encode.settings import merged
from serai.xds.encode.telemetry import request_metrics


def http(
    name: str, handling: ScopedRoutes | NamedRoutes, asked: Changes, *, mesh: bool
) -> dict[str, Any]:
    """The filter that routes requests, as `asked`; at a waypoint `mesh`, at a gateway not."""
    usual: dict[str, Any] = {
        # At a waypoint the peer is ztunnel, and the headers of its clients are to stay.
        "use_remote_address": {"value": not mesh},
        "preserve_external_request_id": mesh,
        "normalize_path": {"value": True},
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
        "common_http_protocol_options": {
            "headers_with_underscores_action": "ALLOW" if mesh else "REJECT_REQUEST"
        },
        "stream_idle_timeout": {} if mesh else {"seconds": 300},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "access_log": [access_log()],
    }
    found = merged(usual, asked.manager)
    found["access_log"] = [*found["access_log"], request_metrics(mesh=mesh)]
    manager = HttpConnectionManager(
        stat_prefix=name,
        http_filters=[
            *(division.http_filters() if _divisible(handling) else ()),
            *policies.http_filters(asked.filters),
            *((leaving.http_filter(),) if isinstance(handling, ScopedRoutes) else ()),
            session_filter(),
            *dynamic.http_filters(),
            extension("envoy.filters.http.router", Router()),
        ],
        early_header_mutation_extensions=list(_early(handling, asked)),
        **found,
        **_route_source(handling),
    )
    return extension("envoy.filters.network.http_connection_manager", manager)


def _route_source(handling: ScopedRoutes | NamedRoutes) -> dict[str, Any]:
    if isinstance(handling, NamedRoutes) and not handling.divisible:
        return {"rds": {"route_config_name": handling.name, "config_source": ADS}}
    destination = {"header_value_extractor": {"name": DESTINATION_HEADER, "index": 0}}
    return {
        "scoped_routes": {
            "name": "scopes",
            "scope_key_builder": {"fragments": [destination]},
            "rds_config_source": ADS,
            "scoped_rds": {"scoped_rds_config_source": ADS},
        },
    }


def _early(handling: ScopedRoutes | NamedRoutes, asked: Changes) -> Iterator[dict[str, Any]]:
    """What is asked for, and the destination last, so that nobody else can have written it."""
    if asked.early:
        yield _header_mutation(asked.early)
    match handling:
        case NamedRoutes(name, divisible=True):
            yield _destination_header(name)
        case ScopedRoutes(by_authority=True):
            yield _destination_header(f"%FILTER_STATE({CONNECT_AUTHORITY}:PLAIN)%")
        case ScopedRoutes():
            yield _destination_header("%DOWNSTREAM_LOCAL_ADDRESS%")
        case _:
            pass


def _divisible(handling: ScopedRoutes | NamedRoutes) -> bool:
    return isinstance(handling, NamedRoutes) and handling.divisible


def _destination_header(found: str) -> dict[str, Any]:
    written = {
        "header": {"key": DESTINATION_HEADER, "value": found},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
    return _header_mutation(({"append": written},))


def _header_mutation(mutations: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    return extension(
        "envoy.http.early_header_mutation.header_mutation",
        EarlyHeaderMutation(mutations=mutations),
    )
