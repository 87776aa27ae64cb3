"""Tracing of listener policies: whom spans are sent to, and of which requests."""

from __future__ import annotations

from serai.api.access_log import GrpcService
from serai.api.bounds import Percent, Some
from serai.api.kgateway import Nothing
from serai.api.meta import Struct
from serai.api.tracing import Attribute


class EnvironmentResourceDetector(Struct, frozen=True):
    """resourceDetectors[].environmentResourceDetector."""

    enable: bool = True


class ResourceDetector(Struct, frozen=True):
    """resourceDetectors[]."""

    environment_resource_detector: EnvironmentResourceDetector | None = None


class Sampler(Struct, frozen=True):
    """sampler."""

    always_on_config: Nothing | None = None


class OpenTelemetryTracing(Struct, frozen=True):
    """provider.openTelemetry."""

    grpc_service: GrpcService
    service_name: str | None = None
    resource_detectors: tuple[ResourceDetector, ...] = ()
    sampler: Sampler | None = None


class TracingProvider(Struct, frozen=True):
    """provider."""

    open_telemetry: OpenTelemetryTracing | None = None


class Tracing(Struct, frozen=True):
    """httpSettings.tracing."""

    provider: TracingProvider
    client_sampling: Percent | None = None
    random_sampling: Percent | None = None
    overall_sampling: Percent | None = None
    verbose: bool | None = None
    max_path_tag_length: Some | None = None
    attributes: tuple[Attribute, ...] = ()
    spawn_upstream_span: bool | None = None
