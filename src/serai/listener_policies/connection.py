"""What holds for connections, whatever is spoken on them.  Envoy: Listener, FilterChain."""

from __future__ import annotations

from datetime import timedelta

from serai.api.bounds import keepalive_probes, keepalive_seconds, seconds
from serai.api.listener_policy import ListenerKeepalive, ListenerProxyProtocol
from serai.ir.origin import Value
from serai.listener_policies.setting import Changes, Plain, Setting
from serai.policies.feature import Compiled, Context
from serai.proto.envoy import ProxyProtocol

_SOCKET, _TCP = 1, 6
_KEEPALIVE, _IDLE, _INTERVAL, _PROBES = 9, 4, 5, 6
"""Of Linux, on which Envoy runs."""


def _limit(_: Context, written: int) -> Compiled:
    return Compiled(Plain(written))


BUFFER = Setting(
    "perConnectionBufferLimitBytes",
    "per_connection_buffer_limit_bytes",
    _limit,
    lambda found: Changes(listener={"per_connection_buffer_limit_bytes": {"value": found.held}}),
    http=False,
    of_port=True,
)


class Keepalive(Value, frozen=True):
    """When to ask whether a client is still there; None is left to the system."""

    idle_seconds: int | None = None
    interval_seconds: int | None = None
    probes: int | None = None


def _keepalive(_: Context, written: ListenerKeepalive) -> Compiled:
    return Compiled(
        Keepalive(
            keepalive_seconds(written.keep_alive_time),
            keepalive_seconds(written.keep_alive_interval),
            keepalive_probes(written.keep_alive_probes),
        )
    )


def _encode_keepalive(found: Keepalive) -> Changes:
    options = {
        (_SOCKET, _KEEPALIVE): 1,
        (_TCP, _IDLE): found.idle_seconds,
        (_TCP, _INTERVAL): found.interval_seconds,
        (_TCP, _PROBES): found.probes,
    }
    written = [
        {"level": level, "name": name, "int_value": value, "state": "STATE_PREBIND"}
        for (level, name), value in options.items()
        if value is not None
    ]
    return Changes(listener={"socket_options": written})


KEEPALIVE = Setting(
    "tcpKeepalive", "tcp_keepalive", _keepalive, _encode_keepalive, http=False, of_port=True
)


def _proxied(_: Context, written: ListenerProxyProtocol) -> Compiled:
    return Compiled(Plain(written.allow_requests_without_proxy_protocol))


def _encode_proxied(found: Plain) -> Changes:
    message = ProxyProtocol(allow_requests_without_proxy_protocol=bool(found.held))
    return Changes(listener_filters=(("envoy.filters.listener.proxy_protocol", message),))


PROXY_PROTOCOL = Setting(
    "proxyProtocol",
    "proxy_protocol",
    _proxied,
    _encode_proxied,
    http=False,
    of_port=True,
    at_gateways=True,
)


def _handshake(_: Context, written: str) -> Compiled:
    return Compiled(Plain(seconds(written) or 0.0))


def _encode_handshake(found: Plain) -> Changes:
    span = timedelta(seconds=float(found.held))
    return Changes(chain={"transport_socket_connect_timeout": span})


HANDSHAKE = Setting(
    "transportSocketConnectTimeout",
    "transport_socket_connect_timeout",
    _handshake,
    _encode_handshake,
    http=False,
)

SETTINGS = (BUFFER, KEEPALIVE, PROXY_PROTOCOL, HANDSHAKE)
