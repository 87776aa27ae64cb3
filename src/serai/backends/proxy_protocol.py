"""PROXY protocol toward endpoints, so that they know the client's address."""

from __future__ import annotations

from typing import Literal

from serai.api.destination_rule import TrafficPolicy
from serai.api.kgateway_backend import BackendConfigPolicySpec
from serai.backends.feature import Draft, Feature, Subject
from serai.ir.origin import Value
from serai.proto.envoy import ProxyProtocolUpstreamTransport, RawBuffer, TransportSocket
from serai.proto.pool import pack


class UpstreamProxyProtocol(Value, frozen=True):
    """Every connection begins with a header of this version."""

    version: Literal["V1", "V2"]


def _of_config(spec: BackendConfigPolicySpec, _: Subject) -> UpstreamProxyProtocol | None:
    found = spec.upstream_proxy_protocol
    return UpstreamProxyProtocol(found.version) if found else None


def _of_rule(policy: TrafficPolicy, _: Subject) -> UpstreamProxyProtocol | None:
    found = policy.proxy_protocol
    return UpstreamProxyProtocol(found.version) if found else None


def _write(found: UpstreamProxyProtocol, draft: Draft) -> None:
    """The header comes before TLS, so it is outside of it."""
    message = draft.message
    inner = TransportSocket(
        name="envoy.transport_sockets.raw_buffer", typed_config=pack(RawBuffer())
    )
    if message.HasField("transport_socket"):
        inner.CopyFrom(message.transport_socket)
    outer = ProxyProtocolUpstreamTransport(
        config={"version": found.version}, transport_socket=inner
    )
    name = "envoy.transport_sockets.upstream_proxy_protocol"
    message.transport_socket.CopyFrom(TransportSocket(name=name, typed_config=pack(outer)))


PROXY_PROTOCOL = Feature(
    value=UpstreamProxyProtocol,
    reads={BackendConfigPolicySpec: _of_config, TrafficPolicy: _of_rule},
    write=_write,
    whole=True,
)
