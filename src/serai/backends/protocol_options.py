"""How HTTP is spoken to endpoints.  Envoy: HttpProtocolOptions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serai.api.bounds import seconds
from serai.api.destination_rule import HttpSettings, TrafficPolicy
from serai.api.kgateway_backend import BackendConfigPolicySpec, Http2ProtocolOptions
from serai.api.quantity import quantity
from serai.backends.feature import Draft, Feature, Subject
from serai.ir.origin import Value
from serai.proto.envoy import Http1ProtocolOptions as EnvoyHttp1
from serai.proto.envoy import Http2ProtocolOptions as EnvoyHttp2


class HttpOptions(Value, frozen=True):
    """Of either version of HTTP.  Durations in seconds; what is None is Envoy's own."""

    idle_timeout: float | None = None
    max_connection_duration: float | None = None
    max_stream_duration: float | None = None
    max_headers: int | None = None
    max_requests_per_connection: int | None = None
    http2: bool | None = None
    """Whether HTTP/2 is spoken, whatever the port says."""
    follow_client: bool | None = None
    """Whether the client's version is spoken."""


class Http1Options(Value, frozen=True):
    """Of HTTP/1.1."""

    trailers: bool | None = None
    keep_header_case: bool | None = None
    lenient: bool | None = None
    """Whether an invalid message ends its stream only, and not the connection."""


class Http2Options(Value, frozen=True):
    """Of HTTP/2.  Windows in bytes."""

    stream_window: int | None = None
    connection_window: int | None = None
    max_streams: int | None = None
    lenient: bool | None = None
    keepalive_interval: float | None = None
    keepalive_timeout: float | None = None
    keepalive_idle: float | None = None
    """Seconds after which an idle connection is asked before it is used again."""


def _of_config(spec: BackendConfigPolicySpec, _: Subject) -> HttpOptions | None:
    found = spec.common_http_protocol_options
    if found is None:
        return None
    return HttpOptions(
        idle_timeout=seconds(found.idle_timeout),
        max_stream_duration=seconds(found.max_stream_duration),
        max_headers=found.max_headers_count or None,
        max_requests_per_connection=found.max_requests_per_connection,
    )


def _of_rule(policy: TrafficPolicy, subject: Subject) -> HttpOptions | None:
    pool = policy.connection_pool
    http = pool.http if pool and pool.http else HttpSettings()
    tcp = pool.tcp if pool else None
    upgrade = {"UPGRADE": True, "DO_NOT_UPGRADE": False}.get(http.h2_upgrade_policy)
    found = HttpOptions(
        idle_timeout=seconds(http.idle_timeout),
        max_connection_duration=seconds(tcp.max_connection_duration) if tcp else None,
        max_requests_per_connection=http.max_requests_per_connection or None,
        http2=True if upgrade and (subject.port.protocol.is_http or policy.tunnel) else None,
        follow_client=http.use_client_protocol or None,
    )
    return None if found == HttpOptions() else found


def _http1_of_config(spec: BackendConfigPolicySpec, _: Subject) -> Http1Options | None:
    found = spec.http1_protocol_options
    if found is None:
        return None
    return Http1Options(
        found.enable_trailers, found.preserve_http1_header_case, found.override_stream_error
    )


def _http2_of_config(spec: BackendConfigPolicySpec, _: Subject) -> Http2Options | None:
    found: Http2ProtocolOptions | None = spec.http2_protocol_options
    if found is None:
        return None
    keepalive = found.connection_keepalive
    return Http2Options(
        stream_window=quantity(found.initial_stream_window_size),
        connection_window=quantity(found.initial_connection_window_size),
        max_streams=found.max_concurrent_streams,
        lenient=found.override_stream_error,
        keepalive_interval=seconds(keepalive.interval) if keepalive else None,
        keepalive_timeout=seconds(keepalive.timeout) if keepalive else None,
        keepalive_idle=seconds(keepalive.connection_idle_interval) if keepalive else None,
    )


def _http2_of_rule(policy: TrafficPolicy, _: Subject) -> Http2Options | None:
    http = policy.connection_pool.http if policy.connection_pool else None
    if http is None:
        return None
    keepalive = http.http2_keep_alive
    found = Http2Options(
        max_streams=http.max_concurrent_streams or None,
        keepalive_interval=seconds(keepalive.interval) if keepalive else None,
        keepalive_timeout=seconds(keepalive.timeout) if keepalive else None,
    )
    return None if found == Http2Options() else found


def _write(found: HttpOptions, draft: Draft) -> None:
    common = draft.http.common_http_protocol_options
    _time(common.idle_timeout, found.idle_timeout)
    _time(common.max_connection_duration, found.max_connection_duration)
    _time(common.max_stream_duration, found.max_stream_duration)
    if found.max_headers is not None:
        common.max_headers_count.value = found.max_headers
    if found.max_requests_per_connection is not None:
        common.max_requests_per_connection.value = found.max_requests_per_connection
    if found.http2:
        draft.http2 = True
    if found.follow_client:
        draft.follow_client = True


def _write_http1(found: Http1Options, draft: Draft) -> None:
    written: dict[str, Any] = {}
    if found.trailers is not None:
        written["enable_trailers"] = found.trailers
    if found.lenient is not None:
        written["override_stream_error_on_invalid_http_message"] = {"value": found.lenient}
    if found.keep_header_case:
        written["header_key_format"] = _preserved()
    draft.http1_options.MergeFrom(EnvoyHttp1(**written))


def _preserved() -> dict[str, Any]:
    name = "envoy.http.stateful_header_formatters.preserve_case"
    package = "envoy.extensions.http.header_formatters.preserve_case.v3"
    type_url = f"type.googleapis.com/{package}.PreserveCaseFormatterConfig"
    return {"stateful_formatter": {"name": name, "typed_config": {"type_url": type_url}}}


def _write_http2(found: Http2Options, draft: Draft) -> None:
    written: dict[str, Any] = {}
    for name, value in (
        ("initial_stream_window_size", found.stream_window),
        ("initial_connection_window_size", found.connection_window),
        ("max_concurrent_streams", found.max_streams),
        ("override_stream_error_on_invalid_http_message", found.lenient),
    ):
        if value is not None:
            written[name] = {"value": value}
    keepalive = {
        name: timedelta(seconds=value)
        for name, value in (
            ("interval", found.keepalive_interval),
            ("timeout", found.keepalive_timeout),
            ("connection_idle_interval", found.keepalive_idle),
        )
        if value is not None
    }
    if keepalive:
        written["connection_keepalive"] = keepalive
    draft.http2_options.MergeFrom(EnvoyHttp2(**written))


def _time(field: Any, value: float | None) -> None:
    if value is not None:
        field.FromTimedelta(timedelta(seconds=value))


HTTP_OPTIONS = Feature(
    value=HttpOptions,
    reads={BackendConfigPolicySpec: _of_config, TrafficPolicy: _of_rule},
    write=_write,
)
HTTP1_OPTIONS = Feature(
    value=Http1Options, reads={BackendConfigPolicySpec: _http1_of_config}, write=_write_http1
)
HTTP2_OPTIONS = Feature(
    value=Http2Options,
    reads={BackendConfigPolicySpec: _http2_of_config, TrafficPolicy: _http2_of_rule},
    write=_write_http2,
)
