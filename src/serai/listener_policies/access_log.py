"""What is written of each request, and where to.

Envoy: the access loggers file, http_grpc and open_telemetry.
"""

from __future__ import annotations

from typing import Any

import msgspec
from google.protobuf.message import Message

from serai.api.access_log import AccessLog, FileSink, GrpcService, KeyValues, OpenTelemetryLog
from serai.api.operators import nested_fault, operators_fault
from serai.ir.origin import Value
from serai.listener_policies.grpc import callee, encode_service
from serai.listener_policies.log_filter import encode_filter, filter_fault
from serai.listener_policies.setting import Changes, Setting
from serai.policies.feature import Compiled, Context, Fault
from serai.proto.envoy import FileAccessLog, HttpGrpcAccessLogConfig, OpenTelemetryAccessLogConfig
from serai.proto.pool import pack


class Log(Value, frozen=True):
    """One log, as it is written, and the cluster of whom it is sent to."""

    written: bytes
    """The AccessLog, as JSON: in it are objects of any shape, which have no hash."""
    cluster: str = ""


class Logs(Value, frozen=True):
    """All that is written of each request, in place of Serai's own line."""

    logs: tuple[Log, ...]


def _compile(context: Context, written: tuple[AccessLog, ...]) -> Compiled | Fault:
    logs: list[Log] = []
    faults: list[Fault] = []
    for index, each in enumerate(written):
        found = _log(context, each)
        if isinstance(found, Fault):
            path = ".".join(part for part in (f"[{index}]", found.path) if part)
            faults.append(Fault(path, found.message, found.reason))
        else:
            logs.append(found)
    if faults and not logs:
        return faults[0]  # rather Serai's own line than nothing
    clusters = tuple(dict.fromkeys(log.cluster for log in logs if log.cluster))
    return Compiled(Logs(tuple(logs)), clusters, tuple(faults))


def _log(context: Context, log: AccessLog) -> Log | Fault:
    sinks = [each for each in (log.file_sink, log.grpc_service, log.open_telemetry) if each]
    if len(sinks) != 1:
        return Fault("", "a log has one of fileSink, grpcService and openTelemetry")
    fault = filter_fault(log.filter) if log.filter else None
    if fault is not None:
        path = ".".join(part for part in ("filter", fault.path) if part)
        return Fault(path, fault.message, fault.reason)
    if log.file_sink is not None:
        return _file_fault(log.file_sink) or Log(msgspec.json.encode(log, order="sorted"))
    telemetry = log.open_telemetry
    if telemetry and (words := _telemetry_fault(telemetry)):
        return Fault("openTelemetry", words)
    service = telemetry.grpc_service if telemetry else log.grpc_service
    if service is None or not service.log_name:
        return Fault("grpcService.logName", "a log that is sent has a name")
    cluster = callee(context, service)
    if isinstance(cluster, Fault):
        prefix = "openTelemetry.grpcService" if telemetry else "grpcService"
        return Fault(f"{prefix}.{cluster.path}", cluster.message, cluster.reason)
    return Log(msgspec.json.encode(log, order="sorted"), cluster)


def _file_fault(sink: FileSink) -> Fault | None:
    if (sink.string_format is None) == (sink.json_format is None):
        return Fault("fileSink", "it has one of stringFormat and jsonFormat")
    if not sink.path:
        return Fault("fileSink.path", "a file has a path")
    text, shape = sink.string_format, sink.json_format
    words = operators_fault(text) if text is not None else nested_fault(shape)
    field = "stringFormat" if text is not None else "jsonFormat"
    return Fault(f"fileSink.{field}", words) if words else None


def _telemetry_fault(log: OpenTelemetryLog) -> str:
    pairs = [*log.attributes.values, *log.resource_attributes.values]
    return operators_fault(log.body or "") or nested_fault([each.value for each in pairs])


def _encode(found: Logs) -> Changes:
    return Changes(manager={"access_log": [_logger(each) for each in found.logs]})


def _logger(log: Log) -> dict[str, Any]:
    written = msgspec.json.decode(log.written, type=AccessLog)
    name, message = _sink(written, log.cluster)
    only = {"filter": encode_filter(written.filter)} if written.filter else {}
    return {"name": name, "typed_config": pack(message), **only}


def _sink(log: AccessLog, cluster: str) -> tuple[str, Message]:
    if log.file_sink is not None:
        return "envoy.access_loggers.file", _file(log.file_sink)
    if log.open_telemetry is not None:
        return "envoy.access_loggers.open_telemetry", _telemetry(log.open_telemetry, cluster)
    service = log.grpc_service
    if service is None:
        raise LookupError(log)  # `_log` takes none without a sink
    message = HttpGrpcAccessLogConfig(
        common_config=_common(service, cluster),
        additional_request_headers_to_log=service.additional_request_headers_to_log,
        additional_response_headers_to_log=service.additional_response_headers_to_log,
        additional_response_trailers_to_log=service.additional_response_trailers_to_log,
    )
    return "envoy.access_loggers.http_grpc", message


def _file(sink: FileSink) -> Message:
    if sink.json_format is not None:
        return FileAccessLog(path=sink.path, log_format={"json_format": sink.json_format})
    text = {"inline_string": sink.string_format or ""}
    return FileAccessLog(path=sink.path, log_format={"text_format_source": text})


def _telemetry(log: OpenTelemetryLog, cluster: str) -> Message:
    body: dict[str, Any] = {"body": {"string_value": log.body}} if log.body else {}
    return OpenTelemetryAccessLogConfig(
        common_config=_common(log.grpc_service, cluster),
        disable_builtin_labels=bool(log.disable_builtin_labels),
        attributes={"values": _pairs(log.attributes)},
        resource_attributes={"values": _pairs(log.resource_attributes)},
        **body,
    )


def _pairs(found: KeyValues) -> list[dict[str, Any]]:
    return [{"key": each.key, "value": _value(each.value)} for each in found.values]


def _value(found: dict[str, Any]) -> dict[str, Any]:
    match found:
        case {"arrayValue": list(values)}:
            return {"array_value": {"values": [_value(each) for each in values]}}
        case {"kvListValue": {"values": list(values)}}:
            pairs = [{"key": each["key"], "value": _value(each["value"])} for each in values]
            return {"kvlist_value": {"values": pairs}}
        case _:
            return {"string_value": str(found.get("stringValue", ""))}


def _common(service: GrpcService, cluster: str) -> dict[str, Any]:
    return {
        "log_name": service.log_name,
        "transport_api_version": "V3",
        "grpc_service": encode_service(service, cluster),
    }


ACCESS_LOG = Setting("accessLog", "access_log", _compile, _encode)

SETTINGS = (ACCESS_LOG,)
