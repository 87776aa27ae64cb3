"""Access logs of listener policies: where lines go, which, and what is in them."""

from __future__ import annotations

from typing import Any, Literal

from serai.api.bounds import Count, Duration, Some
from serai.api.httproute import HTTPValueMatch
from serai.api.meta import Struct

Comparison = Literal["EQ", "GE", "LE"]


class GrpcBackendRef(Struct, frozen=True):
    """grpcService.backendRef."""

    name: str
    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    port: int | None = None


class RetryBackOff(Struct, frozen=True):
    """grpcService.retryPolicy.retryBackOff."""

    base_interval: Duration
    max_interval: Duration | None = None


class GrpcRetryPolicy(Struct, frozen=True):
    """grpcService.retryPolicy: of the stream, not of its messages."""

    num_retries: Some | None = None
    retry_back_off: RetryBackOff | None = None


class GrpcMetadata(Struct, frozen=True):
    """grpcService.initialMetadata[]."""

    key: str
    value: str = ""


class GrpcService(Struct, frozen=True):
    """grpcService: who is called; those of access logs name their log too."""

    backend_ref: GrpcBackendRef
    log_name: str = ""
    authority: str | None = None
    initial_metadata: tuple[GrpcMetadata, ...] = ()
    max_receive_message_length: Some | None = None
    retry_policy: GrpcRetryPolicy | None = None
    skip_envoy_headers: bool | None = None
    timeout: Duration | None = None
    additional_request_headers_to_log: tuple[str, ...] = ()
    additional_response_headers_to_log: tuple[str, ...] = ()
    additional_response_trailers_to_log: tuple[str, ...] = ()


class FileSink(Struct, frozen=True):
    """accessLog[].fileSink; /dev/stdout is a path too."""

    path: str
    string_format: str | None = None
    json_format: dict[str, Any] | None = None


class KeyValue(Struct, frozen=True):
    """One of values: the value is one of stringValue, arrayValue and kvListValue."""

    key: str
    value: dict[str, Any]


class KeyValues(Struct, frozen=True):
    """attributes and resourceAttributes."""

    values: tuple[KeyValue, ...] = ()


class OpenTelemetryLog(Struct, frozen=True):
    """accessLog[].openTelemetry."""

    grpc_service: GrpcService
    body: str | None = None
    disable_builtin_labels: bool | None = None
    attributes: KeyValues = KeyValues()
    resource_attributes: KeyValues = KeyValues()


class ValueFilter(Struct, frozen=True):
    """statusCodeFilter and durationFilter, the latter in milliseconds."""

    op: Comparison
    value: Count


class HeaderFilter(Struct, frozen=True):
    """headerFilter."""

    header: HTTPValueMatch


class ResponseFlagFilter(Struct, frozen=True):
    """responseFlagFilter: such as UF, NR."""

    flags: tuple[str, ...] = ()


class GrpcStatusFilter(Struct, frozen=True):
    """grpcStatusFilter."""

    statuses: tuple[str, ...] = ()
    exclude: bool = False


class CelFilter(Struct, frozen=True):
    """celFilter: a condition in CEL."""

    match: str


class PercentSampled(Struct, frozen=True):
    """runtimeFilter.percentSampled."""

    numerator: Count
    denominator: Literal["HUNDRED", "TEN_THOUSAND", "MILLION"] = "HUNDRED"


class RuntimeFilter(Struct, frozen=True):
    """runtimeFilter."""

    runtime_key: str
    percent_sampled: PercentSampled | None = None
    use_independent_randomness: bool = False


class SingleFilter(Struct, frozen=True):
    """One filter: one of its fields."""

    status_code_filter: ValueFilter | None = None
    duration_filter: ValueFilter | None = None
    not_health_check_filter: bool | None = None
    traceable_filter: bool | None = None
    header_filter: HeaderFilter | None = None
    response_flag_filter: ResponseFlagFilter | None = None
    grpc_status_filter: GrpcStatusFilter | None = None
    cel_filter: CelFilter | None = None
    runtime_filter: RuntimeFilter | None = None


class LogFilter(SingleFilter, frozen=True):
    """One filter, or several that are joined."""

    and_filter: tuple[SingleFilter, ...] = ()
    or_filter: tuple[SingleFilter, ...] = ()


class AccessLog(Struct, frozen=True):
    """accessLog[]: one of fileSink, grpcService and openTelemetry."""

    file_sink: FileSink | None = None
    grpc_service: GrpcService | None = None
    open_telemetry: OpenTelemetryLog | None = None
    filter: LogFilter | None = None
