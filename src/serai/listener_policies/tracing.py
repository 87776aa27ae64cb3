"""Which requests are followed, and who is told.  Envoy: HttpConnectionManager.Tracing."""

from __future__ import annotations

from typing import Any

from serai.api.listener_tracing import Tracing
from serai.ir.origin import Value
from serai.listener_policies.grpc import callee, encode_service
from serai.listener_policies.setting import Changes, Setting
from serai.policies.feature import Compiled, Context, Fault
from serai.policies.tracing import encode_attributes, sampled
from serai.proto.envoy import (
    AlwaysOnSamplerConfig,
    EnvironmentResourceDetectorConfig,
    OpenTelemetryConfig,
)
from serai.proto.pool import pack

DETECTOR = "envoy.tracers.opentelemetry.resource_detectors.environment"
SAMPLER = "envoy.tracers.opentelemetry.samplers.always_on"


class Traced(Value, frozen=True):
    """What is asked for, and the cluster of whom spans are sent to."""

    asked: Tracing
    cluster: str
    service: str
    """What calls itself so, where nothing else is said."""


def _compile(context: Context, written: Tracing) -> Compiled | Fault:
    telemetry = written.provider.open_telemetry
    if telemetry is None:
        return Fault("provider", "there must be openTelemetry")
    cluster = callee(context, telemetry.grpc_service)
    if isinstance(cluster, Fault):
        path = f"provider.openTelemetry.grpcService.{cluster.path}"
        return Fault(path, cluster.message, cluster.reason)
    name = telemetry.service_name or f"{context.policy.name}.{context.policy.namespace}"
    return Compiled(Traced(written, cluster, name), (cluster,))


def _encode(found: Traced) -> Changes:
    asked, telemetry = found.asked, found.asked.provider.open_telemetry
    if telemetry is None:
        return Changes()
    detectors = [
        {"name": DETECTOR, "typed_config": pack(EnvironmentResourceDetectorConfig())}
        for each in telemetry.resource_detectors
        if each.environment_resource_detector and each.environment_resource_detector.enable
    ]
    sampler: dict[str, Any] = {}
    if telemetry.sampler and telemetry.sampler.always_on_config is not None:
        sampler = {"sampler": {"name": SAMPLER, "typed_config": pack(AlwaysOnSamplerConfig())}}
    provider = OpenTelemetryConfig(
        grpc_service=encode_service(telemetry.grpc_service, found.cluster),
        service_name=found.service,
        resource_detectors=detectors,
        **sampler,
    )
    tracing: dict[str, Any] = {
        "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": pack(provider)},
        "verbose": bool(asked.verbose),
        "custom_tags": encode_attributes(asked.attributes),
        **{name: {"value": float(share)} for name, share in sampled(asked)},
    }
    if asked.max_path_tag_length is not None:
        tracing["max_path_tag_length"] = {"value": asked.max_path_tag_length}
    if asked.spawn_upstream_span is not None:
        tracing["spawn_upstream_span"] = {"value": asked.spawn_upstream_span}
    return Changes(manager={"tracing": tracing})


TRACING = Setting("tracing", "tracing", _compile, _encode)

SETTINGS = (TRACING,)
