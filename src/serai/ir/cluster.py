"""Clusters and their endpoints: where a proxy can send to."""

from __future__ import annotations

from enum import StrEnum

from serai.api.meta import Key
from serai.ir.distribution import Distribution
from serai.ir.origin import Origin, Value
from serai.ir.tls import WorkloadTls


class Locality(Value, frozen=True, order=True):
    """Where a workload runs."""

    region: str = ""
    zone: str = ""
    subzone: str = ""


class Health(StrEnum):
    """What is known of an endpoint from whoever runs it."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    """Not ready.  Nothing is sent there, but its share of the traffic may go elsewhere."""
    DRAINING = "draining"
    """On its way out: it finishes what it has."""


class Through(Value, frozen=True):
    """What is asked for at the entrance of another network, inside a tunnel to it."""

    authority: str
    """``host:port`` of the service."""
    identities: tuple[str, ...] = ()
    """``namespace/serviceaccount`` of who may answer; empty where not all are known."""
    endpoints: int = 1
    """How many are behind it."""


class Endpoint(Value, frozen=True):
    """An address to send to: an IP address, or in a DNS cluster a name, or a Unix socket."""

    address: str
    port: int
    """0 of a Unix socket."""
    weight: int = 1
    locality: Locality = Locality()
    health: Health = Health.HEALTHY
    identity: str = ""
    """``namespace/serviceaccount`` of what runs there, as far as it is written."""
    network: str = ""
    node: str = ""
    """The machine it runs on, by name."""
    labels: tuple[tuple[str, str], ...] = ()
    """Of what runs there, sorted."""
    in_mesh: bool = False
    """Whether it takes HBONE."""
    cluster: str = ""
    """The Kubernetes cluster that it runs in, by name; empty: our own."""
    through: Through | None = None
    """It is the entrance of another network; `address` and `port` are the entrance's."""


class Discovery(StrEnum):
    """Where a cluster's endpoints come from."""

    EDS = "EDS"
    DNS = "DNS"
    """Resolved by Envoy; every address is an endpoint of its own."""
    LOGICAL_DNS = "LOGICAL_DNS"
    """Resolved by Envoy; a new connection goes to the address of the moment."""
    ORIGINAL_DST = "ORIGINAL_DST"
    """Where the caller's connection was going: the restored destination's address."""
    DYNAMIC_DNS = "DYNAMIC_DNS"
    """Where each request's own host resolves to."""
    INTERNAL = "INTERNAL"
    """A listener inside the proxy itself."""
    INLINE = "INLINE"
    """They are in the cluster itself, and never change."""
    NOWHERE = "NOWHERE"
    """There are none: what is asked for cannot be done, and nothing is sent without it."""


class Refusal(Value, frozen=True):
    """What a policy asks of a cluster and cannot have, so that nothing may be sent there."""

    policy: Key
    path: str
    reason: str
    """As in the policy's condition."""
    message: str


class Cluster(Value, frozen=True):
    """One port of a service, as a proxy sends to it."""

    name: str
    discovery: Discovery
    origin: Origin
    alt_stat_name: str = ""
    http: bool = False
    """Whether endpoints speak HTTP."""
    http2: bool = False
    follow_client: bool = False
    """Whether clients of HTTP/2 are sent on in it, where the port does not say what it speaks."""
    negotiates: bool = False
    """Whether endpoints say in the TLS handshake which version of HTTP they speak (ALPN)."""
    dns_endpoints: tuple[Endpoint, ...] = ()
    """Of an INLINE, DNS or LOGICAL_DNS cluster; those of an EDS cluster are in ClusterEndpoints."""
    internal_listener: str = ""
    """Of an INTERNAL cluster."""
    passes_state: bool = False
    """Of an INTERNAL cluster: what is known of a connection goes with it."""
    tunnels: str = ""
    """The trust domain of endpoints that are reached by HBONE, if they take it; empty: none are."""
    beside_ztunnel: bool = False
    """Whether endpoints in the mesh are reached by a ztunnel, which puts them into tunnels."""
    tls: WorkloadTls | None = None
    """Mutual TLS of the mesh, with somebody of the identities that begin with `identities`."""
    identities: str = ""
    port: int = 0
    """Of an ORIGINAL_DST or DYNAMIC_DNS cluster, whatever port the caller names; 0: that one."""
    distribution: Distribution | None = None
    """Which endpoints a client prefers; None: all are alike to it."""
    panic_threshold: int | None = None
    """Percent of healthy endpoints below which health is not looked at; None: Envoy's own, 50."""
    host: str = ""
    """The host of the service."""
    leaves: tuple[Value, ...] = ()
    """What policies ask for, one value a feature (serai.backends.FEATURES)."""
    policies: tuple[Key, ...] = ()
    """The policies that had a part in it."""
    refusals: tuple[Refusal, ...] = ()
    """Why it leads nowhere."""


class ClusterEndpoints(Value, frozen=True):
    """The endpoints of one EDS cluster."""

    cluster: str
    endpoints: tuple[Endpoint, ...]
    origin: Origin
    distribution: Distribution | None = None
    tunnels: str = ""
    """As of the cluster."""
    beyond: tuple[str, ...] = ()
    """The networks of endpoints that are not among them, since no tunnels are opened."""
    told_apart: bool = False
    """Whether the cluster has to know which endpoints are in the mesh."""
