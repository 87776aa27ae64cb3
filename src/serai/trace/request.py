"""A request as it reaches a proxy."""

from __future__ import annotations

from serai.api.meta import Key
from serai.ir.origin import Value


class Destination(Value, frozen=True, tag="destination", tag_field="way"):
    """A connection to an address and port that a waypoint may have captured."""

    proxy: Key
    address: str
    """An IP address in canonical form; of a tunnel also a host's name."""
    port: int
    proxied: bool = True
    """Through the PROXY protocol, as from ztunnel; else directly at a VIP on loopback, where
    nobody has an identity."""
    hbone: bool = False
    """Inside a tunnel instead, as from ztunnel to a waypoint that has none beside it."""


class GatewayPort(Value, frozen=True, tag="gateway", tag_field="way"):
    """A connection to a port of a gateway."""

    proxy: Key
    port: int


Way = Destination | GatewayPort


class TraceRequest(Value, frozen=True):
    """A request and its way in."""

    way: Way
    authority: str
    """The host that is asked for, with a port where it was written; HTTP's Host."""
    path: str = "/"
    """With the query, if any."""
    method: str = "GET"
    scheme: str = "http"
    """What the client speaks: http, https (which is TLS here), tcp or udp."""
    headers: tuple[tuple[str, str], ...] = ()
    principal: str | None = None
    """The caller's SPIFFE identity.  It counts only where a connection can carry one."""
    server_name: str | None = None
    """The host that the ClientHello names; None: the one that is asked for."""
    at: float | None = None
    """When, in seconds since the epoch; None: tokens are not looked at for their time."""
