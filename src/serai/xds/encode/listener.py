"""ir.Listener and ir.FilterChain -> Listener and FilterChain.

Nothing in a listener depends on which HTTP services, routes or policies there are: a change to
any field of it would drain all of its connections.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from serai.ir.listener import (
    FilterChain as IrChain,
)
from serai.ir.listener import (
    Handling,
    NamedRoutes,
    ScopedRoutes,
    TcpForward,
)
from serai.ir.listener import (
    Listener as IrListener,
)
from serai.ir.route import WeightedCluster
from serai.proto.envoy import (
    EarlyHeaderMutation,
    FilterChain,
    HttpConnectionManager,
    Listener,
    NetworkSetFilterState,
    ProxyProtocol,
    Router,
    StdoutAccessLog,
    TcpProxy,
    TlsInspector,
)
from serai.proto.pool import pack
from serai.translate.names import INVALID_BACKEND
from serai.xds.encode import dynamic, policies
from serai.xds.encode.body import ADS, resource
from serai.xds.encode.chain_matcher import chain_matcher
from serai.xds.resource import Resource, ResourceType

DESTINATION_HEADER = "x-serai-destination"
"""Carries the restored destination to the scope lookup; overwritten first and removed last."""

PEER_PRINCIPAL = "io.istio.peer_principal"
"""The filter state that holds the caller's identity, under the name that Istio's policies use."""

PRINCIPAL_TLV = 0xD0
_TLV_METADATA = "envoy.filters.listener.proxy_protocol"


def encode_listener(listener: IrListener) -> Resource:
    """A listener, with the chains that are found by scoped or named routes inside it."""
    message = Listener(
        name=listener.name,
        stat_prefix=listener.name,
        listener_filters=_listener_filters(listener),
        **_addresses(listener),
        **_chains(listener),
    )
    return resource(ResourceType.LISTENER, listener.name, message, (listener.origin,))


def encode_chain(chain: IrChain) -> Resource:
    """A filter chain of the listener that accepts the PROXY protocol, discovered by itself."""
    message = _filter_chain(chain.name, chain.handling, identified=True)
    return resource(ResourceType.FILTER_CHAIN, chain.name, message, (chain.origin,))


def _chains(listener: IrListener) -> dict[str, Any]:
    chains: dict[str, Any] = {}
    if listener.default is not None:
        chains["default_filter_chain"] = _filter_chain(
            listener.name, listener.default, identified=listener.proxy_protocol
        )
    if listener.chains:
        chains["filter_chain_matcher"] = chain_matcher(listener.chains)
        chains["fcds_config"] = {"config_source": ADS}
    if listener.server_names:
        chains["filter_chains"] = [
            FilterChain(
                name=each.host,
                filter_chain_match={"server_names": [each.host]},
                filters=[_tcp_proxy(listener.name, each.forward)],
            )
            for each in listener.server_names
        ]
    return chains


def _addresses(listener: IrListener) -> dict[str, Any]:
    if not listener.addresses:
        return {"internal_listener": {}}
    first, *others = [_address(address, listener.port) for address in listener.addresses]
    return {"address": first, "additional_addresses": [{"address": each} for each in others]}


def _listener_filters(listener: IrListener) -> list[dict[str, Any]]:
    filters = [_proxy_protocol()] if listener.proxy_protocol else []
    if listener.server_names:
        filters.append(_extension("envoy.filters.listener.tls_inspector", TlsInspector()))
    return filters


def _filter_chain(name: str, handling: Handling, *, identified: bool) -> FilterChain:
    """Identity first, so that everything after it can ask who calls."""
    filters = [_identity()] if identified else []
    if isinstance(handling, TcpForward):
        filters.append(_tcp_proxy(name, handling))
    else:
        filters.append(_http(name, handling, mesh=identified or isinstance(handling, ScopedRoutes)))
    return FilterChain(name=name, filters=filters)


def _address(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}


def _proxy_protocol() -> dict[str, Any]:
    rule = {"tlv_type": PRINCIPAL_TLV, "on_tlv_present": {"key": "peer_principal"}}
    return _extension(_TLV_METADATA, ProxyProtocol(rules=[rule]))


def _identity() -> dict[str, Any]:
    """The caller's identity as filter state; without a TLV there is none, and not a dash."""
    value = {
        "object_key": PEER_PRINCIPAL,
        "format_string": {
            "text_format_source": {
                "inline_string": f"%DYNAMIC_METADATA({_TLV_METADATA}:peer_principal)%"
            },
            "omit_empty_values": True,
        },
        "skip_if_empty": True,
        "factory_key": "envoy.string",
        "shared_with_upstream": "ONCE",
    }
    return _extension(
        "envoy.filters.network.set_filter_state", NetworkSetFilterState(on_new_connection=[value])
    )


def _http(name: str, handling: ScopedRoutes | NamedRoutes, *, mesh: bool) -> dict[str, Any]:
    manager = HttpConnectionManager(
        stat_prefix=name,
        # At a waypoint the peer is ztunnel, and the headers of its clients are to stay.
        use_remote_address={"value": not mesh},
        preserve_external_request_id=mesh,
        normalize_path={"value": True},
        merge_slashes=True,
        path_with_escaped_slashes_action="UNESCAPE_AND_REDIRECT",
        common_http_protocol_options={
            "headers_with_underscores_action": "ALLOW" if mesh else "REJECT_REQUEST"
        },
        stream_idle_timeout={} if mesh else {"seconds": 300},
        upgrade_configs=[{"upgrade_type": "websocket"}],
        http_filters=[
            *policies.http_filters(),
            *dynamic.http_filters(),
            _extension("envoy.filters.http.router", Router()),
        ],
        access_log=[_access_log()],
        **_route_source(handling),
    )
    return _extension("envoy.filters.network.http_connection_manager", manager)


def _route_source(handling: ScopedRoutes | NamedRoutes) -> dict[str, Any]:
    if isinstance(handling, NamedRoutes):
        return {"rds": {"route_config_name": handling.name, "config_source": ADS}}
    destination = {"header_value_extractor": {"name": DESTINATION_HEADER, "index": 0}}
    return {
        "early_header_mutation_extensions": [_destination_header()],
        "scoped_routes": {
            "name": "scopes",
            "scope_key_builder": {"fragments": [destination]},
            "rds_config_source": ADS,
            "scoped_rds": {"scoped_rds_config_source": ADS},
        },
    }


def _destination_header() -> dict[str, Any]:
    written = {
        "header": {"key": DESTINATION_HEADER, "value": "%DOWNSTREAM_LOCAL_ADDRESS%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
    return _extension(
        "envoy.http.early_header_mutation.header_mutation",
        EarlyHeaderMutation(mutations=[{"append": written}]),
    )


def _tcp_proxy(name: str, handling: TcpForward) -> dict[str, Any]:
    proxy = TcpProxy(stat_prefix=name, access_log=[_access_log()], **_tcp(handling.clusters))
    return _extension("envoy.filters.network.tcp_proxy", proxy)


def _tcp(clusters: tuple[WeightedCluster, ...]) -> dict[str, Any]:
    if len(clusters) == 1:
        return {"cluster": clusters[0].cluster or INVALID_BACKEND}
    shares = [{"name": each.cluster or INVALID_BACKEND, "weight": each.weight} for each in clusters]
    return {"weighted_clusters": {"clusters": shares}}


def _access_log() -> dict[str, Any]:
    """One line of JSON a request, with what decided it."""
    fields = {
        "start_time": "%START_TIME%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "method": "%REQ(:METHOD)%",
        "authority": "%REQ(:AUTHORITY)%",
        "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "protocol": "%PROTOCOL%",
        "response_code": "%RESPONSE_CODE%",
        "response_code_details": "%RESPONSE_CODE_DETAILS%",
        "response_flags": "%RESPONSE_FLAGS%",
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%",
        "duration_ms": "%DURATION%",
        "route_name": "%ROUTE_NAME%",
        "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
        "upstream_host": "%UPSTREAM_HOST%",
        "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
        "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "peer_principal": f"%FILTER_STATE({PEER_PRINCIPAL}:PLAIN)%",
    }
    log = StdoutAccessLog(log_format={"json_format": fields})
    return _extension("envoy.access_loggers.stdout", log)


def _extension(name: str, config: Message) -> dict[str, Any]:
    return {"name": name, "typed_config": pack(config)}
