"""What the operator decides for all objects at once, as far as the core needs it."""

from __future__ import annotations

from typing import Literal

from serai.ir.origin import Value
from serai.ir.viewpoint import Viewpoint
from serai.model import locality

ISTIO_V4, ISTIO_V6 = "240.240.0.0/16", "2001:2::/48"
"""From which Istio allocates: addresses that nobody else has."""
LOOPBACK_V4 = "127.80.0.0/16"
"""As many on loopback, where a VIP can be listened on as it is.

Far from 127.0.0.0/16, where resolvers and Gateways are, and from what examples name.
"""
NO_RANGE = "none"
LOOPBACK = ("127.0.0.1", "::1")
"""A ztunnel beside a waypoint dials the one of the family that its client came by."""
ADMIN_PORT = 15000
"""Of Envoy's admin interface in a Pod."""
MOUNTED_IDENTITY = "/var/run/secrets/workload-spiffe-credentials"
"""Where a certificate of the mesh is mounted into a Pod."""

RATE_LIMITS_HERE = "unix:///run/serai/rate-limits.sock"
"""Where configuration that nobody serves has Serai's own rate limit service."""


class Settings(Value, frozen=True):
    """Constant while Serai runs."""

    standalone: bool = True
    """Whether objects come from a folder and every proxy runs on this machine."""
    cluster_id: str = "Kubernetes"
    """The name of our own Kubernetes cluster among others."""
    shared_services: Literal["labelled", "all"] = "labelled"
    """Which services are one in all clusters.  Istio: serviceScopeConfigs, clusterLocal."""
    cluster_domain: str = "cluster.local"
    trust_domain: str = "cluster.local"
    trust_domain_aliases: tuple[str, ...] = ()
    """Former names of the trust domain, which identities in policies may still have."""
    cluster_names: Literal["serai", "istio"] = "serai"
    dns_lookup_family: Literal["V4_PREFERRED", "V4_ONLY", "V6_ONLY", "ALL", "AUTO"] = "V4_PREFERRED"
    """Which addresses Envoy takes of a name that it looks up.  Envoy: DnsLookupFamily."""
    allow_resolved: tuple[str, ...] = ()
    """Ranges that hosts under a wildcard may resolve to though they are not public."""
    root_namespace: str = "istio-system"
    """Whose DestinationRules are for all namespaces, and whose policies may be for all proxies of
    a class; an AuthorizationPolicy of action CUSTOM names extensions of it."""
    jwks_refresh_seconds: float = 300.0
    """After which the keys of issuers of tokens are fetched again, unless a policy says."""
    system_certificates: str = "/etc/ssl/certs/ca-certificates.crt"
    """Whom "System" trusts: a file on the machines of the proxies."""
    bind: str = "127.0.0.1"
    """Where standalone gateways listen."""
    proxy_port: int = 15088
    """Where a waypoint without a listener of its own accepts the PROXY protocol."""
    proxy_bind: tuple[str, ...] = LOOPBACK
    """Whoever reaches a waypoint's PROXY port can claim any identity, so: loopback."""
    hbone_port: int = 15008
    """Where a waypoint without such a listener of its own accepts HBONE."""
    hbone_bind: tuple[str, ...] = ("0.0.0.0", "::")  # noqa: S104  # who comes shows a certificate
    """Where it listens, unless it was given an address."""
    identity_folder: str = ""
    """Where a proxy finds its certificate of the mesh: cert-chain.pem, key.pem, root-cert.pem.
    Empty: where it is mounted into the proxy's Pod, or where all is on this machine, made here."""
    identity_by_gateway: bool = False
    """Whether it has a folder for each Gateway, ``namespace/name``."""
    rate_limit_service: str = ""
    """Where Serai's own rate limit service is: ``unix:///path`` or ``host:port``; empty: nowhere,
    or where all is on this machine at a place that `serai run` replaces by its own."""
    own_ports: tuple[int, ...] = ()
    """Ports on loopback that are nobody's business: ours, and the proxies' admin interfaces."""
    own_paths: tuple[str, ...] = ()
    """Unix sockets, or folders of them, likewise."""
    vip_range_v4: str = ""
    """From which services without an address get one; empty: Istio's, or loopback's where all is on
    this machine; ``none``: they get none."""
    vip_range_v6: str = ""
    """Likewise; empty: Istio's, or none on one machine, whose only IPv6 loopback address is ::1."""

    locality: str = ""
    """``region/zone/subzone`` where proxies run that do not say it themselves."""
    network: str = ""
    """Likewise."""
    node: str = ""
    """Likewise; the name of the machine."""

    @property
    def trust_domains(self) -> tuple[str, ...]:
        """The trust domain and its former names."""
        return (self.trust_domain, *self.trust_domain_aliases)

    @property
    def viewpoint(self) -> Viewpoint | None:
        """Where proxies run that do not say it themselves, if that is known."""
        found = Viewpoint(locality.parse(self.locality), self.network, self.node)
        return None if found == Viewpoint() else found

    @property
    def rate_limits_at(self) -> str:
        """Where Serai's own rate limit service is; empty where there is none."""
        return self.rate_limit_service or (RATE_LIMITS_HERE if self.standalone else "")

    @property
    def closed_ports(self) -> tuple[int, ...]:
        """Those ports; in a Pod Envoy's admin interface is always at the same."""
        return self.own_ports if self.standalone else (*self.own_ports, ADMIN_PORT)

    @property
    def vip_ranges(self) -> tuple[str, ...]:
        """The ranges to allocate from, that of IPv4 first."""
        v4 = self.vip_range_v4 or (LOOPBACK_V4 if self.standalone else ISTIO_V4)
        v6 = self.vip_range_v6 or (NO_RANGE if self.standalone else ISTIO_V6)
        return tuple(each for each in (v4, v6) if each != NO_RANGE)
