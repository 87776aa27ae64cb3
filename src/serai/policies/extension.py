"""Whom policies ask: what GatewayExtensions come to.  Envoy: envoy.filters.http.ext_authz."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from google.protobuf.message import Message

from serai.api.gateway_extension import ExtAuthProvider
from serai.api.meta import Key
from serai.api.syntax import is_header_name, is_header_value
from serai.ir.origin import Value
from serai.policies.feature import Context, Fault
from serai.policies.services import Called, backoff, called, grpc_service
from serai.proto.envoy import ExtAuthz, NetworkExtAuthz

HTTP, NETWORK = "envoy.filters.http.ext_authz", "envoy.filters.network.ext_authz"
USUAL_TIMEOUT_SECONDS = 0.2
"""Envoy's own."""
HTTP_TIMEOUT_SECONDS = 2.0
"""As the definition of httpService says."""

_STATUS: Any = ExtAuthz.DESCRIPTOR.fields_by_name["status_on_error"].message_type
STATUSES = frozenset(_STATUS.fields_by_name["code"].enum_type.values_by_number) - {0}
"""What Envoy can answer by itself."""


class Body(Value, frozen=True):
    """How much of a body is shown to whom is asked."""

    bytes: int
    partial: bool = False
    as_bytes: bool = False


class ExtAuth(Value, frozen=True):
    """Who is asked whether a request may pass, and how."""

    service: Called
    grpc: bool
    fail_open: bool = False
    clear_route_cache: bool = False
    status_on_error: int = 403
    stat_prefix: str = ""
    forwarded: tuple[str, ...] = ()
    """Headers of the request that are shown; none: all, or of HTTP Envoy's own few."""
    body: Body | None = None
    path_prefix: str = ""
    added: tuple[tuple[str, str], ...] = ()
    """Headers of the question."""
    to_backend: tuple[str, ...] = ()
    """Headers of the answer that the request gets."""
    to_backend_matching: tuple[str, ...] = ()
    """Regular expressions for the names of those, where they are not listed."""
    to_client: tuple[str, ...] = ()
    """Those of a refusal that the client gets."""
    to_client_on_success: tuple[str, ...] = ()


def ext_auth(context: Context, name: str, namespace: str | None = None) -> ExtAuth | Fault:
    """Whom the extAuth of a GatewayExtension asks; without a namespace, of the policy's."""
    key = Key("GatewayExtension", namespace or context.policy.namespace, name)
    extension = context.extension(name, namespace)
    if isinstance(extension, Fault):
        return extension
    found = extension.spec.ext_auth
    if found is None:
        return Fault("", f"{key} has no extAuth")
    service = found.grpc_service or found.http_service
    if service is None or (found.grpc_service and found.http_service):
        return Fault("", f"{key} must have one of grpcService and httpService")
    wrong = _wrong(found)
    if wrong:
        return Fault("", f"{key}: {wrong}")
    asked = called(context, key, service)
    return asked if isinstance(asked, Fault) else _provider(found, asked)


def _wrong(found: ExtAuthProvider) -> str:
    """What Envoy would refuse, and with it the whole route; empty if nothing."""
    if found.status_on_error not in STATUSES:
        return f"statusOnError {found.status_on_error} is no status that Envoy answers"
    http = found.http_service
    if http is None:
        return ""
    if http.path_prefix and not http.path_prefix.startswith("/"):
        return f'pathPrefix "{http.path_prefix}" does not begin with a slash'
    added = http.authorization_request.headers_to_add if http.authorization_request else {}
    odd = [name for name, value in added.items() if not _is_header(name, value)]
    return f"headersToAdd has no header of a request: {odd[0]}" if odd else ""


def _is_header(name: str, value: str) -> bool:
    return is_header_name(name) and is_header_value(value)


def _provider(found: ExtAuthProvider, service: Called) -> ExtAuth:
    http = found.http_service
    body = found.with_request_body
    request = http.authorization_request if http else None
    response = http.authorization_response if http else None
    return ExtAuth(
        service=service,
        grpc=http is None,
        fail_open=found.fail_open,
        clear_route_cache=found.clear_route_cache,
        status_on_error=found.status_on_error,
        stat_prefix=found.stat_prefix or "",
        forwarded=found.headers_to_forward,
        body=Body(body.max_request_bytes, body.allow_partial_message, body.pack_as_bytes)
        if body
        else None,
        path_prefix=(http.path_prefix or "") if http else "",
        added=tuple(sorted(request.headers_to_add.items())) if request else (),
        to_backend=response.headers_to_backend if response else (),
        to_client=response.headers_to_client if response else (),
        to_client_on_success=response.headers_to_client_on_success if response else (),
    )


def http_filter(
    asks: ExtAuth, marker: str = "", key: str = "", prefix: str = ""
) -> tuple[str, Message]:
    """The filter that asks; with a `marker` only about requests that it marked."""
    fields: dict[str, Any] = {
        "transport_api_version": "V3",
        "failure_mode_allow": asks.fail_open,
        "clear_route_cache": asks.clear_route_cache,
        "status_on_error": {"code": asks.status_on_error},
        "stat_prefix": asks.stat_prefix,
    }
    if asks.body:
        fields["with_request_body"] = encode_body(asks.body)
    if asks.forwarded:
        fields["allowed_headers"] = _names(asks.forwarded)
    fields |= {"grpc_service": _grpc(asks)} if asks.grpc else {"http_service": _http(asks)}
    return HTTP, ExtAuthz(**fields, **_only(marker, key, prefix))


def network_filter(asks: ExtAuth, marker: str, key: str, prefix: str) -> tuple[str, Message]:
    """Likewise for connections that are not HTTP; they are asked about by gRPC only."""
    return NETWORK, NetworkExtAuthz(
        stat_prefix=asks.stat_prefix or "tcp.",
        transport_api_version="V3",
        grpc_service=_grpc(asks),
        failure_mode_allow=asks.fail_open,
        **_only(marker, key, prefix),
    )


def encode_body(body: Body) -> dict[str, Any]:
    """Envoy's BufferSettings."""
    return {
        "max_request_bytes": body.bytes,
        "allow_partial_message": body.partial,
        "pack_as_bytes": body.as_bytes,
    }


def _only(marker: str, key: str, prefix: str) -> dict[str, Any]:
    if not marker:
        return {}
    value = {"string_match": {"prefix": prefix}}
    path = [{"key": key}]
    return {"filter_enabled_metadata": {"filter": marker, "path": path, "value": value}}


def _grpc(asks: ExtAuth) -> dict[str, Any]:
    return grpc_service(asks.service, USUAL_TIMEOUT_SECONDS)


def _http(asks: ExtAuth) -> dict[str, Any]:
    response: dict[str, Any] = {}
    for field, names in (
        ("allowed_upstream_headers", asks.to_backend),
        ("allowed_client_headers", asks.to_client),
        ("allowed_client_headers_on_success", asks.to_client_on_success),
    ):
        if names:
            response[field] = _names(names)
    if asks.to_backend_matching:
        matching = [{"safe_regex": {"regex": each}} for each in asks.to_backend_matching]
        response["allowed_upstream_headers"] = {"patterns": matching}
    added = [{"key": name, "value": value.replace("%", "%%")} for name, value in asks.added]
    again: dict[str, Any] = {}
    service = asks.service
    if service.retry:
        again["retry_policy"] = {
            "num_retries": {"value": service.retry.attempts},
            "retry_on": "5xx,connect-failure,reset",
            "retry_back_off": backoff(service.retry),
        }
    return {
        **again,
        "server_uri": {
            "uri": f"http://{service.cluster}",
            "cluster": service.cluster,
            "timeout": timedelta(seconds=service.timeout_seconds or HTTP_TIMEOUT_SECONDS),
        },
        "path_prefix": asks.path_prefix,
        "authorization_request": {"headers_to_add": added},
        "authorization_response": response,
    }


def _names(names: tuple[str, ...]) -> dict[str, Any]:
    return {"patterns": [{"exact": name.lower(), "ignore_case": True} for name in names]}
