"""The protocol of a port, by Istio's rules."""

from __future__ import annotations

from enum import StrEnum


class Protocol(StrEnum):
    """What is spoken on a port."""

    HTTP = "HTTP"
    HTTP2 = "HTTP2"
    HTTP_PROXY = "HTTP_PROXY"
    GRPC = "GRPC"
    GRPC_WEB = "GRPC-WEB"
    HTTPS = "HTTPS"
    TLS = "TLS"
    TCP = "TCP"
    UDP = "UDP"
    MONGO = "MONGO"
    MYSQL = "MYSQL"
    REDIS = "REDIS"
    UNDECLARED = "UNDECLARED"

    @property
    def is_http(self) -> bool:
        """Whether requests can be routed one by one."""
        return self in _HTTP

    @property
    def is_undeclared(self) -> bool:
        """Whether only the first bytes of each connection tell what it speaks."""
        return self is Protocol.UNDECLARED

    @property
    def may_be_http(self) -> bool:
        """Whether some of its connections can be HTTP."""
        return self.is_http or self.is_undeclared

    @property
    def is_http2(self) -> bool:
        """Whether HTTP/2 without TLS is spoken to the endpoints."""
        return self in _HTTP2

    @property
    def is_tls(self) -> bool:
        """Whether connections begin with a TLS ClientHello, so that they can be told by SNI."""
        return self in _TLS


_HTTP = frozenset(
    {Protocol.HTTP, Protocol.HTTP2, Protocol.HTTP_PROXY, Protocol.GRPC, Protocol.GRPC_WEB}
)
_HTTP2 = frozenset({Protocol.HTTP2, Protocol.GRPC})
_TLS = frozenset({Protocol.HTTPS, Protocol.TLS})

_APP_PROTOCOLS = {
    "kubernetes.io/h2c": Protocol.HTTP2,
    "kubernetes.io/ws": Protocol.HTTP,
    "kubernetes.io/wss": Protocol.HTTPS,
}
_NAMES = {protocol.value.lower(): protocol for protocol in Protocol} | {"h2c": Protocol.HTTP2}
del _NAMES["undeclared"]

_SERVER_FIRST = {25: Protocol.TCP, 53: Protocol.TCP, 3306: Protocol.TCP, 27017: Protocol.TCP}
"""Ports where the server speaks first by custom, so that waiting for a client's bytes hangs."""


def parse(word: str) -> Protocol | None:
    """The protocol a word names, by itself or as prefix before a dash: ``http-admin`` is HTTP."""
    lowered = word.lower()
    if lowered in _APP_PROTOCOLS:
        return _APP_PROTOCOLS[lowered]
    if lowered.startswith("grpc-web"):
        return Protocol.GRPC_WEB
    return _NAMES.get(lowered.partition("-")[0])


def of_service_port(app_protocol: str | None, name: str, transport: str, port: int) -> Protocol:
    """The protocol of a Kubernetes Service's port: appProtocol, then its name, then transport.

    Istio: protocol selection.
    """
    if transport == "UDP":
        return Protocol.UDP
    declared = parse(app_protocol or "") or parse(name)
    return declared or _SERVER_FIRST.get(port, Protocol.UNDECLARED)


def of_entry_port(protocol: str, name: str, port: int) -> Protocol:
    """The protocol of a ServiceEntry's port: its protocol, then its name."""
    declared = parse(protocol) or (parse(name) if not protocol else None)
    return declared or _SERVER_FIRST.get(port, Protocol.UNDECLARED)
