"""Istio's standard metrics, by Envoy's own logger of statistics.

Who calls is known from the connection's identity, who is called from the cluster that was sent to.
What stock Envoy cannot know (the workloads behind an address) is "unknown", as Istio itself says
where it does not know.  Envoy writes `envoy_` before each name.  Istio: Standard Metrics.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.wrappers_pb2 import UInt32Value

from serai.proto.ahead import field, with_field
from serai.proto.envoy import CelAccessLogFilter, StatsAccessLog
from serai.xds.encode.body import extension
from serai.xds.encode.identity import (
    CONNECTION_SECURITY,
    SOURCE_NAMESPACE,
    SOURCE_PRINCIPAL,
)

PREFIX = "istio"
MOST = 20_000
"""Sets of labels of one logger; further ones are not counted, so that memory has an end."""
SERVICE = "serai.service"
"""Of a cluster's metadata: the service that it is for."""
UNKNOWN = "unknown"
AT_THE_START, AT_THE_END = "TcpUpstreamConnected", "TcpConnectionEnd"


def short_name(host: str, namespace: str) -> str:
    """A Service goes by its own name, all else by its host, as Istio has it."""
    name, dot, rest = host.partition(".")
    return name if dot and rest.startswith(f"{namespace}.svc.") else host


def service_metadata(host: str, name: str, namespace: str) -> dict[str, Any]:
    """What a cluster says of its service; `name` is its short one."""
    said = {"host": host, "name": name, "namespace": namespace}
    fields = {name: {"string_value": value} for name, value in said.items()}
    return {"filter_metadata": {SERVICE: {"fields": fields}}}


def service_fields() -> dict[str, str]:
    """The service that was sent to, as fields of a line or a metric."""
    return {
        "destination_service": f"%METADATA(CLUSTER:{SERVICE}:host)%",
        "destination_service_name": f"%METADATA(CLUSTER:{SERVICE}:name)%",
        "destination_service_namespace": f"%METADATA(CLUSTER:{SERVICE}:namespace)%",
    }


def request_metrics(*, mesh: bool) -> dict[str, Any]:
    """The metrics of requests; at a waypoint `mesh`."""
    tags = _tags(
        mesh=mesh,
        request_protocol="%CEL('content-type' in request.headers && "
        "request.headers['content-type'].startsWith('application/grpc') ? 'grpc' : 'http')%",
        response_code="%RESPONSE_CODE%",
        grpc_response_status="%GRPC_STATUS_NUMBER%",
    )
    return _logger(
        counters=[_counter("requests_total", tags)],
        histograms=[
            _histogram("request_duration_milliseconds", tags, "%DURATION%", "Milliseconds"),
            _histogram("request_bytes", tags, "%BYTES_RECEIVED%", "Bytes"),
            _histogram("response_bytes", tags, "%BYTES_SENT%", "Bytes"),
        ],
    )


def connection_metrics(*, mesh: bool) -> list[dict[str, Any]]:
    """The metrics of connections that are not HTTP: one logger for their start, one for the end.

    One that a policy has closed is neither opened nor closed.
    """
    tags = _tags(mesh=mesh, request_protocol="tcp")
    start = _logger(counters=[_counter("tcp_connections_opened_total", tags)])
    end = _logger(
        counters=[
            _counter("tcp_connections_closed_total", tags),
            _counter("tcp_received_bytes_total", tags, "%BYTES_RECEIVED%"),
            _counter("tcp_sent_bytes_total", tags, "%BYTES_SENT%"),
        ]
    )
    sent_on = extension(
        "envoy.access_loggers.extension_filters.cel",
        CelAccessLogFilter(expression="has(upstream.address)"),
    )
    both = {"filters": [of_types(AT_THE_END), {"extension_filter": sent_on}]}
    return [{**start, "filter": of_types(AT_THE_START)}, {**end, "filter": {"and_filter": both}}]


def of_types(*types: str) -> dict[str, Any]:
    """A filter of log entries: when they are written."""
    return {"log_type_filter": {"types": types}}


def _logger(**fields: Any) -> dict[str, Any]:
    config = with_field(StatsAccessLog(**fields), _STATS_SCOPE, _scope())
    return extension("envoy.access_loggers.stats", config)


_STATS_SCOPE = 6
"""Config.stats_scope, an envoy.type.v3.Scope; `stat_prefix` is deprecated for it."""
_MAX_COUNTERS, _MAX_HISTOGRAMS, _PREFIX = 1, 3, 5


def _scope() -> bytes:
    most = UInt32Value(value=MOST).SerializeToString()
    limits = field(_MAX_COUNTERS, most) + field(_MAX_HISTOGRAMS, most)
    return limits + field(_PREFIX, PREFIX.encode())


def _tags(*, mesh: bool, request_protocol: str, **more: str) -> list[dict[str, str]]:
    """Istio's labels, in its order."""
    fields = {
        "reporter": "waypoint" if mesh else "source",
        "source_workload": UNKNOWN,
        "source_canonical_service": UNKNOWN,
        "source_canonical_revision": UNKNOWN,
        "source_workload_namespace": f"%FILTER_STATE({SOURCE_NAMESPACE}:PLAIN)%",
        "source_principal": f"%FILTER_STATE({SOURCE_PRINCIPAL}:PLAIN)%",
        "source_app": UNKNOWN,
        "source_version": UNKNOWN,
        "source_cluster": UNKNOWN,
        "destination_workload": UNKNOWN,
        "destination_workload_namespace": UNKNOWN,
        "destination_principal": UNKNOWN,
        "destination_app": UNKNOWN,
        "destination_version": UNKNOWN,
        **service_fields(),
        "destination_canonical_service": UNKNOWN,
        "destination_canonical_revision": UNKNOWN,
        "destination_cluster": UNKNOWN,
        "request_protocol": request_protocol,
        "response_flags": "%RESPONSE_FLAGS%",
        "connection_security_policy": f"%FILTER_STATE({CONNECTION_SECURITY}:PLAIN)%",
        **more,
    }
    return [{"name": name, "value_format": value} for name, value in fields.items()]


def _counter(name: str, tags: list[dict[str, str]], value: str = "") -> dict[str, Any]:
    amount: dict[str, Any] = {"value_format": value} if value else {"value_fixed": {"value": 1}}
    return {"stat": {"name": name, "tags": tags}, **amount}


def _histogram(name: str, tags: list[dict[str, str]], value: str, unit: str) -> dict[str, Any]:
    return {"stat": {"name": name, "tags": tags}, "value_format": value, "unit": unit}
