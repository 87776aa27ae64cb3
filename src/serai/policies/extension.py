"""Whom policies ask: what GatewayExtensions come to.  Envoy: envoy.filters.http.ext_authz."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from google.protobuf.message import Message
from msgspec.structs import replace

from serai.api.duration import seconds
from serai.api.gateway_extension import ExtAuthProvider, ExtensionRetry, ServiceReference
from serai.api.meta import Key
from serai.ir.origin import Value
from serai.policies.feature import BackendReference, Context, Fault
from serai.proto.envoy import ExtAuthz, NetworkExtAuthz

HTTP, NETWORK = "envoy.filters.http.ext_authz", "envoy.filters.network.ext_authz"
USUAL_TIMEOUT_SECONDS = 0.2
"""Envoy's own."""
HTTP_TIMEOUT_SECONDS = 2.0
"""As the definition of httpService says."""


class Body(Value, frozen=True):
    """How much of a body is shown to whom is asked."""

    bytes: int
    partial: bool = False
    as_bytes: bool = False


class Retry(Value, frozen=True):
    """How often whom is asked is asked again, and how long after."""

    attempts: int
    seconds: float = 1.0
    longest_seconds: float = 10.0


class ExtAuth(Value, frozen=True):
    """Who is asked whether a request may pass, and how."""

    cluster: str
    grpc: bool
    authority: str = ""
    timeout_seconds: float = USUAL_TIMEOUT_SECONDS
    retry: Retry | None = None
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
    cluster = context.cluster(_reference(service.backend_ref), key)
    if isinstance(cluster, Fault):
        return Fault("", f"{key}: {cluster.message}", cluster.reason)
    retry = retried(service.retry)
    timeout = seconds(service.request_timeout) if service.request_timeout else None
    wrong = service.request_timeout if service.request_timeout and timeout is None else retry
    if isinstance(wrong, str):
        return Fault("", f'{key}: "{wrong}" is not a duration such as 500ms')
    usual = USUAL_TIMEOUT_SECONDS if found.grpc_service else HTTP_TIMEOUT_SECONDS
    return replace(_provider(found, cluster, timeout or usual), retry=retry)


def _reference(found: ServiceReference) -> BackendReference:
    return BackendReference(found.group, found.kind, found.name, found.namespace, found.port)


def retried(written: ExtensionRetry | None) -> Retry | str | None:
    """How often to ask again; or the text that is no duration."""
    if written is None or written.attempts < 1:
        return None
    if written.backoff is None:
        return Retry(written.attempts)
    first = seconds(written.backoff.base_interval)
    if first is None:
        return written.backoff.base_interval
    text = written.backoff.max_interval
    longest = seconds(text) if text else first * 10
    return text or "" if longest is None else Retry(written.attempts, first, max(first, longest))


def _provider(found: ExtAuthProvider, cluster: str, timeout: float) -> ExtAuth:
    http = found.http_service
    body = found.with_request_body
    request = http.authorization_request if http else None
    response = http.authorization_response if http else None
    return ExtAuth(
        cluster=cluster,
        grpc=http is None,
        authority=(found.grpc_service.authority or "") if found.grpc_service else "",
        timeout_seconds=timeout,
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
    return grpc_service(asks.cluster, asks.authority, asks.timeout_seconds, asks.retry)


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
    if asks.retry:
        again["retry_policy"] = {
            "num_retries": asks.retry.attempts,
            "retry_on": "5xx,connect-failure,reset",
            "retry_back_off": _backoff(asks.retry),
        }
    return {
        **again,
        "server_uri": {
            "uri": f"http://{asks.cluster}",
            "cluster": asks.cluster,
            "timeout": timedelta(seconds=asks.timeout_seconds),
        },
        "path_prefix": asks.path_prefix,
        "authorization_request": {"headers_to_add": added},
        "authorization_response": response,
    }


def _names(names: tuple[str, ...]) -> dict[str, Any]:
    return {"patterns": [{"exact": name.lower(), "ignore_case": True} for name in names]}


def grpc_service(
    cluster: str, authority: str, timeout_seconds: float, retry: Retry | None
) -> dict[str, Any]:
    """A service that is asked by gRPC, as Envoy's GrpcService."""
    service: dict[str, Any] = {"cluster_name": cluster, "authority": authority}
    if retry:
        service["retry_policy"] = {"num_retries": retry.attempts, "retry_back_off": _backoff(retry)}
    return {"envoy_grpc": service, "timeout": timedelta(seconds=timeout_seconds)}


def _backoff(retry: Retry) -> dict[str, Any]:
    return {
        "base_interval": timedelta(seconds=retry.seconds),
        "max_interval": timedelta(seconds=retry.longest_seconds),
    }
