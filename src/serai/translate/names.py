"""Every name that Envoy sees is made here.

Names are injective: Kubernetes' names have neither `_` nor `~`, and the kind is in each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from serai.api.meta import Key
from serai.attach.frontends import FrontendKey
from serai.attach.listeners import ListenerKey
from serai.model.service import BackendKey

MAX_LENGTH = 253
WAYPOINT_LISTENER = "proxy_protocol_inbound"
HBONE_LISTENER, TUNNELLED_LISTENER = "connect_terminate", "main_internal"
"""As Istio calls them: where tunnels end, and what is inside them goes on."""
OF_OTHER_FAMILY = "~ipv6"
"""How a listener's name ends whose addresses a machine or Pod may lack, beside its other one."""
ORIGINATE = "connect_originate"
"""The listener inside a proxy that opens tunnels to endpoints, and the cluster behind it."""
INWARD, OUTWARD = "inner_connect_originate", "outer_connect_originate"
"""Likewise for endpoints of other networks, as Istio calls them: the tunnel to the service goes
inside one to the entrance of its network."""
PASSED, ENCAPSULATED = "workloads~passed", "workloads~encapsulated"
"""The clusters that lead to workloads by their own addresses, the second one in tunnels."""
WORKLOAD_CERTIFICATE, WORKLOAD_AUTHORITY = "default", "ROOTCA"
"""As Istio calls the secrets of a proxy's own identity."""
DESTINATION_HEADER = "x-serai-destination"
"""Carries to the scope lookup what routes are found by; overwritten first and removed last."""
INVALID_BACKEND = "invalid-backend"
"""A cluster that never exists: what is sent there is answered 500."""

HELLO, DETOUR, ADDRESSED, TUNNELLED = "hello~", "detour~", "addressed~", "tunnelled~"
"""How the names begin of what stands beside the cluster of a backend; the first two are entrances
of listeners inside the proxy."""

_BESIDE = (HELLO, DETOUR, ADDRESSED, TUNNELLED)
_CLUSTER_PREFIXES = {"Service": "kube", "ServiceEntry": "istio-se"}
_ONE_HOST = frozenset({"Service", "Backend", "XBackend"})


def cluster(backend: BackendKey) -> str:
    """``kube_<ns>_<name>_<port>`` or ``istio-se_<ns>_<name>_<host>_<port>``.

    A subset's has its name behind that.
    """
    service = backend.service
    prefix = _CLUSTER_PREFIXES.get(service.kind, service.kind.lower())
    host = () if service.kind in _ONE_HOST else (backend.host,)
    subset = (backend.subset,) if backend.subset else ()
    parts = (prefix, service.namespace, service.name, *host, _port(backend), *subset)
    return shortened("_".join(parts))


def _port(backend: BackendKey) -> str:
    """Its number, and what it takes where two share that."""
    return f"{backend.port}udp" if backend.udp else str(backend.port)


def istio_cluster(backend: BackendKey, *, owner: bool) -> str:
    """``outbound|<port>|<subset>|<host>``.

    Of a host that two services claim, only the owner's is plain.
    """
    return shortened(_outbound(backend, owner=owner))


def _outbound(backend: BackendKey, *, owner: bool) -> str:
    service = backend.service
    claimed = () if owner else (service.namespace, service.name, service.kind.lower())
    subset = ".".join(each for each in (backend.subset, *claimed) if each)
    return f"outbound|{_port(backend)}|{subset}|{backend.host}"


def findable(cluster: str) -> Iterator[str]:
    """The names under which a cluster is to be kept, to be found by what `cluster_of` gives.

    Its own is enough, where no name beside it has to be cut.
    """
    yield cluster
    beside = (each + cluster for each in _BESIDE)
    yield from (shortened(each) for each in beside if len(each) >= MAX_LENGTH)


def cluster_of(name: str) -> str:
    """The cluster of a backend, by its own name or by any beside it, as `findable` has it."""
    prefix = next((each for each in _BESIDE if name.startswith(each)), "")
    return name if len(name) == MAX_LENGTH else name.removeprefix(prefix)


def alt_stat_name(backend: BackendKey, *, owner: bool) -> str:
    """Istio's name of a cluster, by which its dashboards know it.

    The semicolon tells where it ends in a stat's name, whose dots part it otherwise.
    """
    return stat_name(_outbound(backend, owner=owner))


def stat_name(name: str) -> str:
    """What a cluster of a name is called in its stats: the name and a semicolon."""
    return f"{shortened(name, MAX_LENGTH - 1)};"


def frontend(key: FrontendKey, *, http: bool) -> str:
    """The route configuration or filter chain of a captured port."""
    service = key.service
    parts = (str(key.port), service.name, service.namespace, *((key.host,) if key.host else ()))
    own = ("~own~hbone" if key.tunnels else "~own") if key.direct else ""
    return shortened("_".join((_transport(http=http), service.kind.lower(), *parts)) + own)


def sni_switch(key: FrontendKey) -> str:
    """The internal listener, and the cluster before it, that tells a port's hosts by SNI."""
    return shortened(f"sni~{frontend(key, http=False)}")


def undeclared(key: FrontendKey) -> str:
    """The internal listener, and the cluster before it, that tells HTTP from other bytes."""
    return shortened(f"undeclared~{frontend(key, http=False)}")


def workloads(*, tunnels: bool) -> str:
    """The chain, the internal listener and the routes of what is sent to workloads themselves."""
    return "workloads~hbone" if tunnels else "workloads"


def hello(cluster: str) -> str:
    """The internal listener, and the cluster before it, that reads whom a ClientHello names."""
    return shortened(HELLO + cluster)


def connects(cluster: str) -> str:
    """The internal listener, and the cluster before it, that looks up whom a CONNECT names."""
    return shortened(f"connect~{cluster}")


def detour(cluster: str) -> str:
    """The internal listener, and the cluster before it, that leads to a backend's waypoint."""
    return shortened(DETOUR + cluster)


def addressed(cluster: str) -> str:
    """The cluster, beside a backend's own, for the endpoint that a connection came for."""
    return shortened(ADDRESSED + cluster)


def tunnelled(cluster: str) -> str:
    """Likewise, where the endpoint is reached by a tunnel."""
    return shortened(TUNNELLED + cluster)


def waypoint_cluster(waypoint: Key) -> str:
    """The cluster of a waypoint's HBONE port, as gateways send to it."""
    return shortened(f"waypoint~{waypoint.namespace}~{waypoint.name}")


def gateway_routes(gateway: Key, port: int) -> str:
    """The route configuration of a gateway's port."""
    return shortened(f"http_gateway_{port}_{gateway.name}_{gateway.namespace}")


def gateway_part(routes: str, number: int) -> str:
    """A part of a gateway's route configuration that is divided; and its scope."""
    return f"{routes}~{number}"


def gateway_listener(port: int) -> str:
    """The listener of a gateway's port."""
    return f"listener~{port}"


def udp_listener(port: int) -> str:
    """The listener of a gateway's UDP port."""
    return f"udp~{port}"


def gateway_chain(listener: ListenerKey, port: int, hostname: str = "") -> str:
    """The filter chain, and the route configuration, of a listener that speaks TLS.

    Of one that takes TLSRoutes there is a chain for each host name.
    """
    parent, name = listener
    parts = ("tls", parent.kind.lower(), str(port), name, parent.name, parent.namespace)
    return shortened("_".join((*parts, *((hostname,) if hostname else ()))))


def server_certificate(secret: Key) -> str:
    """A Secret that listeners show."""
    return shortened(f"certificate_{secret.name}_{secret.namespace}")


def client_authority(gateway: Key, port: int) -> str:
    """Those who vouch for the clients of a gateway's port."""
    return shortened(f"ca_gateway_{port}_{gateway.name}_{gateway.namespace}")


def listener_authority(listener: ListenerKey, port: int) -> str:
    """Those who vouch for the clients of one listener, where a policy names them."""
    return shortened(f"ca_{gateway_chain(listener, port)}")


def loopback_listener(address: str, port: int) -> str:
    """The listener of a captured service's VIP on loopback."""
    return f"vip~{address}~{port}"


def is_spare(listener: str) -> bool:
    """Whether a listener is only for clients by IPv6, beside one for the others."""
    return listener.endswith(OF_OTHER_FAMILY)


def scope(address: str, port: int) -> str:
    """The scope of a captured address and port."""
    return f"{address}~{port}"


def shortened(name: str, limit: int = MAX_LENGTH) -> str:
    """The name itself, or as much of it as Envoy allows, with a hash in place of what is cut."""
    if len(name) <= limit:
        return name
    digest = sha256(name.encode()).hexdigest()[:16]
    return f"{name[: limit - len(digest) - 1]}~{digest}"


def _transport(*, http: bool) -> str:
    return "http" if http else "tcp"
