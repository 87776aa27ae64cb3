"""Whom listeners call by gRPC.  Envoy: GrpcService."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serai.api.access_log import GrpcRetryPolicy, GrpcService
from serai.api.bounds import seconds
from serai.policies.feature import BackendReference, Context, Fault


def callee(context: Context, service: GrpcService) -> str | Fault:
    """The cluster of a service that is called."""
    ref = service.backend_ref
    if (ref.group, ref.kind) == ("", "Service") and ref.port is None:
        return Fault("backendRef.port", "a Service is named with a port")
    found = context.cluster(
        BackendReference(ref.group, ref.kind, ref.name, ref.namespace, ref.port)
    )
    return Fault("backendRef", found.message, found.reason) if isinstance(found, Fault) else found


def encode_service(service: GrpcService, cluster: str) -> dict[str, Any]:
    """Envoy's GrpcService."""
    called: dict[str, Any] = {"cluster_name": cluster}
    if service.authority:
        called["authority"] = service.authority
    if service.max_receive_message_length is not None:
        called["max_receive_message_length"] = {"value": service.max_receive_message_length}
    if service.skip_envoy_headers is not None:
        called["skip_envoy_headers"] = service.skip_envoy_headers
    if service.retry_policy is not None:
        called["retry_policy"] = _retries(service.retry_policy)
    found: dict[str, Any] = {"envoy_grpc": called}
    if service.timeout:
        found["timeout"] = timedelta(seconds=seconds(service.timeout) or 0)
    if service.initial_metadata:
        pairs = [{"key": each.key, "value": each.value} for each in service.initial_metadata]
        found["initial_metadata"] = pairs
    return found


def _retries(policy: GrpcRetryPolicy) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if policy.num_retries is not None:
        found["num_retries"] = {"value": policy.num_retries}
    if policy.retry_back_off is not None:
        base = seconds(policy.retry_back_off.base_interval) or 1.0
        longest = seconds(policy.retry_back_off.max_interval) or 10 * base
        found["retry_back_off"] = {
            "base_interval": timedelta(seconds=base),
            "max_interval": timedelta(seconds=max(longest, base)),
        }
    return found
