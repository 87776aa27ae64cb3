"""Services that features call while a request is on its way.  Envoy: GrpcService, HttpUri."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serai.api.duration import seconds
from serai.api.extension_reference import ServiceReference
from serai.api.gateway_extension import (
    ExtensionRetry,
    GrpcService,
    HttpService,
)
from serai.api.meta import Key
from serai.api.syntax import is_header_value
from serai.ir.origin import Value
from serai.policies.feature import BackendReference, Context, Fault


class Retry(Value, frozen=True):
    """How often a service is asked again, and how long after."""

    attempts: int
    seconds: float = 1.0
    longest_seconds: float = 10.0


class Called(Value, frozen=True):
    """A service, and on what terms it is called."""

    cluster: str
    authority: str = ""
    timeout_seconds: float | None = None
    """None: there is the usual one."""
    retry: Retry | None = None


def called(context: Context, key: Key, service: GrpcService | HttpService) -> Called | Fault:
    """The service that a GatewayExtension names."""
    cluster = backend(context, key, service.backend_ref)
    if isinstance(cluster, Fault):
        return cluster
    retry = _retry(service.retry)
    text = service.request_timeout
    timeout = seconds(text) if text else None
    wrong = text if text and timeout is None else retry
    if isinstance(wrong, str) or isinstance(retry, str):
        return Fault("", f'{key}: "{wrong}" is not a duration such as 500ms')
    authority = service.authority or "" if isinstance(service, GrpcService) else ""
    if not is_header_value(authority):
        return Fault("", f"{key}: authority cannot be that of a request")
    return Called(cluster, authority, timeout, retry)


def backend(context: Context, key: Key, found: ServiceReference) -> str | Fault:
    """The cluster of a backend that a GatewayExtension names."""
    reference = BackendReference(found.group, found.kind, found.name, found.namespace, found.port)
    cluster = context.cluster(reference, key)
    if isinstance(cluster, Fault):
        return Fault("", f"{key}: {cluster.message}", cluster.reason)
    return cluster


def _retry(written: ExtensionRetry | None) -> Retry | str | None:
    """How often to ask again; or the text that is no duration."""
    if written is None or written.attempts < 1:
        return None
    if written.backoff is None:
        return Retry(written.attempts)
    first = seconds(written.backoff.base_interval)
    if not first:
        return written.backoff.base_interval
    text = written.backoff.max_interval
    longest = seconds(text) if text else first * 10
    return text or "" if longest is None else Retry(written.attempts, first, max(first, longest))


def grpc_service(found: Called, usual_seconds: float) -> dict[str, Any]:
    """A service that is called by gRPC, as Envoy's GrpcService."""
    service: dict[str, Any] = {"cluster_name": found.cluster, "authority": found.authority}
    if found.retry:
        service["retry_policy"] = {
            "num_retries": {"value": found.retry.attempts},
            "retry_back_off": backoff(found.retry),
        }
    timeout = timedelta(seconds=found.timeout_seconds or usual_seconds)
    return {"envoy_grpc": service, "timeout": timeout}


def backoff(retry: Retry) -> dict[str, Any]:
    """How long after, as Envoy's BackoffStrategy."""
    return {
        "base_interval": timedelta(seconds=retry.seconds),
        "max_interval": timedelta(seconds=retry.longest_seconds),
    }
