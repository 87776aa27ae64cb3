"""How long, how many and how large.  Envoy: HttpProtocolOptions, Http2ProtocolOptions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serai.api.bounds import seconds
from serai.api.listener_policy import Http2Options
from serai.api.quantity import WINDOW, is_window, quantity
from serai.ir.origin import Value
from serai.listener_policies.setting import Changes, Setting, plain
from serai.policies.feature import Compiled, Context, Fault

_COMMON = "common_http_protocol_options"


class Http2(Value, frozen=True):
    """What is agreed with clients that speak HTTP/2; None is left to Envoy."""

    streams: int | None = None
    stream_window: int | None = None
    connection_window: int | None = None
    extended_connect: bool = False


def _span(text: str) -> timedelta:
    return timedelta(seconds=seconds(text) or 0)


IDLE = plain("idleTimeout", "idle_timeout", lambda text: {_COMMON: {"idle_timeout": _span(text)}})
STREAM_IDLE = plain(
    "streamIdleTimeout",
    "stream_idle_timeout",
    lambda text: {"stream_idle_timeout": _span(text)},
)
REQUESTS = plain(
    "maxRequestsPerConnection",
    "max_requests_per_connection",
    lambda most: {_COMMON: {"max_requests_per_connection": {"value": most}}},
)
HEADERS = plain(
    "maxHeadersCount",
    "max_headers_count",
    lambda most: {_COMMON: {"max_headers_count": {"value": most}}},
)
HEADERS_KB = plain(
    "maxRequestHeadersKb",
    "max_request_headers_kb",
    lambda most: {"max_request_headers_kb": {"value": most}},
)


def _http2(_: Context, written: Http2Options) -> Compiled | Fault:
    windows = {
        "initialStreamWindowSize": written.initial_stream_window_size,
        "initialConnectionWindowSize": written.initial_connection_window_size,
    }
    for name, text in windows.items():
        if not is_window(text):
            return Fault(name, f'"{text}" is not {WINDOW}')
    stream, connection = (quantity(each) for each in windows.values())
    streams, extended = written.max_concurrent_streams, bool(written.allow_connect)
    return Compiled(Http2(streams, stream, connection, extended))


def _encode(found: Http2) -> Changes:
    numbers = {
        "max_concurrent_streams": found.streams,
        "initial_stream_window_size": found.stream_window,
        "initial_connection_window_size": found.connection_window,
    }
    options: dict[str, Any] = {
        name: {"value": each} for name, each in numbers.items() if each is not None
    }
    if found.extended_connect:
        options["allow_connect"] = True
    return Changes(manager={"http2_protocol_options": options})


HTTP2 = Setting("http2ProtocolOptions", "http2_protocol_options", _http2, _encode)

SETTINGS = (IDLE, STREAM_IDLE, REQUESTS, HEADERS, HEADERS_KB, HTTP2)
