"""Listeners and filter chains: what happens to the connections that reach a proxy."""

from __future__ import annotations

from enum import StrEnum

from serai.ir.leaf import Leaf
from serai.ir.origin import Origin, Value
from serai.ir.route import WeightedCluster
from serai.ir.tls import WorkloadTls


class ScopedRoutes(Value, frozen=True):
    """HTTP, routed by the restored destination of each connection (ir.route.Scope)."""

    by_authority: bool = False
    """The destination is what the CONNECT request named around the connection: an address or a
    host, with a port."""


class NamedRoutes(Value, frozen=True):
    """HTTP, routed by one route configuration."""

    name: str
    destined: bool = False
    """As of TcpForward."""
    divisible: bool = False
    """Whether it may be divided by hosts (ir.route.RouteConfiguration.parts) while connections
    last."""


class Tunnel(StrEnum):
    """How bytes are sent on: as they are, or inside a CONNECT request that names something."""

    NONE = ""
    SERVER_NAME = "server name"
    """The host that the ClientHello names (SNI)."""
    FIXED = "fixed"
    """What TcpForward.authority says."""
    DESTINATION = "destination"
    """Where the connection was going."""
    INWARD = "inward"
    """What the endpoint's own metadata says, inside another tunnel to its network."""
    OUTWARD = "outward"
    """The same, around it."""
    CONNECT = "connect"
    """What TcpForward.authority says, to a proxy that is a service.  Istio: tunnel."""
    POST = "post"
    """The same in a POST request."""


class TcpForward(Value, frozen=True):
    """Bytes, sent to one of the clusters by weight."""

    clusters: tuple[WeightedCluster, ...]
    tunnel: Tunnel = Tunnel.NONE
    authority: str = ""
    """Of a FIXED, CONNECT or POST tunnel: what it asks for, such as ``address:port``."""
    idle_timeout_seconds: float | None = None
    """0: none; None: Envoy's own, an hour."""
    max_duration_seconds: float | None = None
    leaves: tuple[Leaf, ...] = ()
    """What policies ask of the connection."""
    relayed: bool = False
    """To a listener inside the proxy, which is told where the connection was going and whose it
    is."""
    destined: bool = False
    """Whether whoever opens tunnels behind it is told where the connection was going."""


CLOSED = TcpForward((WeightedCluster(None),))
"""Connections are closed: there is no such cluster."""


class Connects(Value, frozen=True):
    """CONNECT requests: the bytes inside each are sent to a cluster."""

    cluster: WeightedCluster
    of_mesh: bool = False
    """HBONE: what is inside goes on with the destination that is asked for and the identity that
    the client's certificate proves."""


Handling = ScopedRoutes | NamedRoutes | TcpForward | Connects


class ClientCheck(Value, frozen=True):
    """How the certificates of clients are checked."""

    authority: str = ""
    """The name of a secret; empty: nobody has to vouch for them."""
    insecure: bool = False
    """Whether clients without a valid certificate are let in."""
    optional: bool = False
    """Whether clients without any certificate are let in."""
    names: tuple[str, ...] = ()
    """One of them has to be in the certificate."""
    hashes: tuple[str, ...] = ()
    """SHA-256 of the certificates that are taken."""


class Tls(Value, frozen=True):
    """How a chain's connections are decrypted; what is empty is left to Envoy."""

    certificates: tuple[str, ...]
    """Names of secrets; the client's abilities decide between several."""
    alpn: tuple[str, ...] = ()
    """Protocols that are offered, the preferred first."""
    clients: ClientCheck | None = None
    """None: they are not asked for a certificate."""
    min_version: str = ""
    """Such as ``1.2``."""
    max_version: str = ""
    ciphers: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()


class FilterChain(Value, frozen=True):
    """What is done with some of a listener's connections; discovered one by one (FCDS)."""

    name: str
    handling: NamedRoutes | TcpForward
    origin: Origin
    tls: Tls | None = None
    """None: connections are taken as they are, also those that are TLS."""
    identified: bool = False
    """Whether its listener is told who calls."""
    settings: tuple[Leaf, ...] = ()
    """What listener policies ask of it."""


class ServerName(Value, frozen=True):
    """What is done with TLS connections whose ClientHello names a host (SNI)."""

    host: str
    forward: TcpForward


class ChainMatch(Value, frozen=True):
    """Which connections go to a filter chain: those to an address range and port.

    Port 0 is every port that no other match of the address has.
    With `by_name` those whose tunnel was asked for a host, whose name then is in `cidr`.
    """

    cidr: str
    port: int
    chain: str
    by_name: bool = False
    unaddressed: bool = False
    """By name, and nothing else leads there: then the PROXY protocol may name it too."""


class SniMatch(Value, frozen=True):
    """Which connections go to a filter chain: TLS whose ClientHello names such a host.

    Of several patterns the most specific one counts; `*` takes what none of them does, also
    connections that name no host.
    """

    host: str
    chain: str


class Listener(Value, frozen=True):
    """A socket of the proxy.

    With `proxy_protocol` each connection must begin with a PROXY v2 header; it gives the
    destination, and TLV 0xD0 the caller's identity.
    """

    name: str
    addresses: tuple[str, ...]
    port: int
    default: Handling | None
    """What is done with connections that no entry of `chains` or `sni` matches; None: closed."""
    origin: Origin
    chains: tuple[ChainMatch, ...] = ()
    sni: tuple[SniMatch, ...] = ()
    """Of a gateway's port that speaks TLS; it has no `chains`."""
    ended: tuple[Tls, ...] = ()
    """What the chains that `sni` leads to do to TLS, each once."""
    proxy_protocol: bool = False
    tls: WorkloadTls | None = None
    """Of the listener that takes HBONE."""
    tunnelled: bool = False
    """Inside the proxy, and told of each connection where it was going and whose it is: what came
    by HBONE, and what is relayed."""
    requests: NamedRoutes | None = None
    """Inside the proxy: what is done with connections whose first bytes are HTTP; None: nobody
    looks."""
    udp: bool = False
    """Whether it takes datagrams; `default` says where they go."""
    originates: bool = False
    """Inside the proxy: what comes to it goes on in tunnels to where it was going, if the identity
    there is the one that is expected."""
    http: bool = False
    """Of an internal listener: whether HTTP is spoken to it, in version 2 with `http2`."""
    http2: bool = False
    settings: tuple[Leaf, ...] = ()
    """What listener policies ask of it."""
    server_names: tuple[ServerName, ...] = ()
    """Of an internal listener, which has no addresses: reached by a cluster of this proxy."""

    @property
    def reads_hello(self) -> bool:
        """Whether it waits for the ClientHello of each connection."""
        tunnel = self.default.tunnel if isinstance(self.default, TcpForward) else Tunnel.NONE
        return bool(self.server_names or self.sni) or tunnel is Tunnel.SERVER_NAME
