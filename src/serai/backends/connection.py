"""Connections to endpoints: how long to wait for one, and whether it is still there."""

from __future__ import annotations

from datetime import timedelta

from serai.api.bounds import keepalive_probes, keepalive_seconds, seconds
from serai.api.destination_rule import TrafficPolicy
from serai.api.kgateway_backend import BackendConfigPolicySpec
from serai.backends.feature import Draft, Feature, Subject
from serai.ir.origin import Value


class Connection(Value, frozen=True):
    """What is None is Envoy's own, or the system's."""

    connect_timeout: float | None = None
    """Seconds."""
    buffer_bytes: int | None = None
    """That one connection may hold."""
    keepalive_time: int | None = None
    """Seconds without a byte, after which the other side is asked."""
    keepalive_interval: int | None = None
    keepalive_probes: int | None = None


def _of_config(spec: BackendConfigPolicySpec, _: Subject) -> Connection | None:
    keepalive = spec.tcp_keepalive
    found = Connection(
        connect_timeout=seconds(spec.connect_timeout),
        buffer_bytes=spec.per_connection_buffer_limit_bytes,
        keepalive_time=keepalive_seconds(keepalive.keep_alive_time) if keepalive else None,
        keepalive_interval=keepalive_seconds(keepalive.keep_alive_interval) if keepalive else None,
        keepalive_probes=keepalive_probes(keepalive.keep_alive_probes) if keepalive else None,
    )
    return None if found == Connection() else found


def _of_rule(policy: TrafficPolicy, _: Subject) -> Connection | None:
    tcp = policy.connection_pool.tcp if policy.connection_pool else None
    if tcp is None:
        return None
    keepalive = tcp.tcp_keepalive
    found = Connection(
        connect_timeout=seconds(tcp.connect_timeout),
        keepalive_time=keepalive_seconds(keepalive.time) if keepalive else None,
        keepalive_interval=keepalive_seconds(keepalive.interval) if keepalive else None,
        keepalive_probes=keepalive_probes(keepalive.probes) if keepalive else None,
    )
    return None if found == Connection() else found


def _write(found: Connection, draft: Draft) -> None:
    message = draft.message
    if found.connect_timeout is not None:
        message.connect_timeout.FromTimedelta(timedelta(seconds=found.connect_timeout))
    if found.buffer_bytes is not None:
        message.per_connection_buffer_limit_bytes.value = found.buffer_bytes
    keepalive = message.upstream_connection_options.tcp_keepalive
    if found.keepalive_time is not None:
        keepalive.keepalive_time.value = found.keepalive_time
    if found.keepalive_interval is not None:
        keepalive.keepalive_interval.value = found.keepalive_interval
    if found.keepalive_probes is not None:
        keepalive.keepalive_probes.value = found.keepalive_probes


CONNECTION = Feature(
    value=Connection,
    reads={BackendConfigPolicySpec: _of_config, TrafficPolicy: _of_rule},
    write=_write,
)
