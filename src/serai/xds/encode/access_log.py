"""What Envoy writes of each request and connection."""

from __future__ import annotations

from typing import Any

from serai.ir.filter_state import PEER_PRINCIPAL
from serai.proto.envoy import StdoutAccessLog
from serai.xds.encode.body import extension
from serai.xds.encode.identity import SOURCE_NAMESPACE
from serai.xds.encode.telemetry import service_fields


def failures_log() -> dict[str, Any]:
    """The same of what went wrong alone, where somebody else writes of each request."""
    return {**access_log(), "filter": {"response_flag_filter": {}}}


def access_log() -> dict[str, Any]:
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
        "source_namespace": f"%FILTER_STATE({SOURCE_NAMESPACE}:PLAIN)%",
        **service_fields(),
    }
    log = StdoutAccessLog(log_format={"json_format": fields})
    return extension("envoy.access_loggers.stdout", log)
