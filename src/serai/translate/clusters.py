"""Backends -> clusters and their endpoints, and which proxy sends to which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from serai.api.destination_rule import Subset
from serai.api.meta import Key
from serai.attach.gateways import Role
from serai.attach.routes import AttachmentKey
from serai.backends.feature import Asked, SpeaksTls, Subject
from serai.backends.features import in_force
from serai.backends.health_check import HealthCheck
from serai.backends.outlier_detection import OutlierDetection
from serai.backends.preference import preferred
from serai.incremental import Derived, Graph, Index, Node, Reader, Union, mapped, mapped_transient
from serai.ir.cluster import Cluster, ClusterEndpoints, Discovery, Endpoint
from serai.ir.listener import Connects, FilterChain, Listener, TcpForward
from serai.ir.origin import Origin, Value
from serai.ir.route import Forward, RouteConfiguration, VirtualHost
from serai.ir.tls import UpstreamTls
from serai.model.protocol import Protocol
from serai.model.service import Backend, BackendKey, Resolution
from serai.translate import names
from serai.translate.collections import Attached, Named
from serai.translate.compiled import owns_host
from serai.translate.localities import labels_of
from serai.translate.material import workload_tls
from serai.translate.rules import CompiledRoute

Sender = RouteConfiguration | FilterChain | Listener

DISCOVERY = {
    Resolution.KNOWN: Discovery.EDS,
    Resolution.DNS: Discovery.DNS,
    Resolution.DNS_ROUND_ROBIN: Discovery.LOGICAL_DNS,
    Resolution.NONE: Discovery.ORIGINAL_DST,
    Resolution.DYNAMIC_DNS: Discovery.DYNAMIC_DNS,
}


class SenderKey(NamedTuple):
    """Something of a proxy that sends to clusters."""

    proxy: Key
    part: str
    name: str


class Proxied(NamedTuple):
    """A cluster that a proxy sends to."""

    proxy: Key
    cluster: str


def clusters_of(sender: Sender) -> tuple[str, ...]:
    """The names of the clusters that something sends to, each once, sorted."""
    match sender:
        case RouteConfiguration(virtual_hosts=hosts):
            return tuple(sorted(_of_routes(hosts)))
        case FilterChain(handling=TcpForward() as only):
            forwards = [only]
        case Listener(default=default, server_names=server_names):
            forwards = [each.forward for each in server_names]
            forwards += [default] if isinstance(default, TcpForward) else []
            forwards += [TcpForward((default.cluster,))] if isinstance(default, Connects) else []
        case _:
            forwards = []
    called = {name for leaf in sender.settings for name in leaf.clusters}
    return tuple(sorted(called | {name for each in forwards for name in _of_forward(each)}))


def _of_forward(forward: TcpForward) -> Iterator[str]:
    yield from (each.cluster for each in forward.clusters if each.cluster)
    yield from (name for leaf in forward.leaves for name in leaf.clusters)


def _of_routes(hosts: tuple[VirtualHost, ...]) -> set[str]:
    """What routes send to and copy to, and what their policies call."""
    routes = [route for host in hosts for route in host.routes]
    forwards = [each.action for each in routes if isinstance(each.action, Forward)]
    shares = [share for each in forwards for share in each.clusters]
    leaves = [*(each.leaves for each in routes), *(each.leaves for each in shares)]
    called = {name for each in leaves for leaf in each for name in leaf.clusters}
    copies = [*(each.mirrors for each in forwards), *(each.mirrors for each in shares)]
    called |= {mirror.cluster for each in copies for mirror in each}
    return called | {each.cluster for each in shares if each.cluster}


def uses(
    graph: Graph, senders: dict[str, Node[Named, Sender]]
) -> Union[SenderKey, tuple[str, ...]]:
    """The clusters that each part of a proxy sends to."""
    parts = tuple(_uses(graph, part, source) for part, source in senders.items())
    return Union(graph, f"uses by {', '.join(senders)}", parts)


def demand(
    graph: Graph, name: str, used: Node[SenderKey, tuple[str, ...]]
) -> Index[Proxied, SenderKey]:
    """Which clusters each proxy needs, and what in it needs them."""
    return Index(
        graph,
        name,
        used,
        lambda key, clusters: (Proxied(key.proxy, cluster) for cluster in clusters),
    )


def _uses(
    graph: Graph, part: str, source: Node[Named, Sender]
) -> Derived[SenderKey, tuple[str, ...]]:
    def rows(_: Reader, key: Named, sender: Sender) -> Iterator[tuple[SenderKey, tuple[str, ...]]]:
        clusters = clusters_of(sender)
        if clusters:
            yield SenderKey(key.proxy, part, key.name), clusters

    return Derived(graph, f"uses of clusters by {part}", source, rows)


def _calls(key: AttachmentKey, compiled: CompiledRoute) -> Iterator[str]:
    if key.route.kind == "GRPCRoute":
        actions = (each.route.action for each in compiled.routes)
        forwards = [each for each in actions if isinstance(each, Forward)]
        yield from {share.cluster for each in forwards for share in each.clusters if share.cluster}


def is_mutual(cluster: Cluster) -> bool:
    """Whether endpoints outside of tunnels are reached by the mesh's mutual TLS."""
    return any(isinstance(each, UpstreamTls) and each.mesh is not None for each in cluster.leaves)


def _judges(leaf: Value) -> bool:
    """Whether it judges an endpoint by how it does: all those in tunnels are one to Envoy."""
    return isinstance(leaf, HealthCheck | OutlierDetection)


def _discovery(backend: Backend, *, addressed: bool, inside: bool) -> Discovery:
    """`addressed`: of the endpoint that a connection came for; `inside` a tunnel to it."""
    if inside:
        return Discovery.INTERNAL
    return Discovery.ORIGINAL_DST if addressed else DISCOVERY[backend.resolution]


class ClusterKey(NamedTuple):
    """A cluster as the proxies see it that agree in all that makes a difference."""

    name: str
    namespace: str = ""
    """Of the proxies, where it matters."""
    rules: tuple[Key, ...] = ()
    """The DestinationRules that apply."""
    certificate: Key | None = None
    """The Secret of the Gateways' own certificate, where it may be shown."""
    tunnels: bool = False
    """Whether endpoints that take HBONE get it."""
    beside_ztunnel: bool = False
    """Whether a ztunnel sees to that, where rules could ask for TLS beside it."""


class Clusters:
    """The clusters that any proxy sends to, and their endpoints."""

    def __init__(
        self,
        graph: Graph,
        attached: Attached,
        demanded: Index[Proxied, SenderKey],
        internal: Node[str, Cluster],
    ) -> None:
        """`internal` are the clusters that stand for listeners inside a proxy."""
        self._called: Index[str, AttachmentKey] = Index(
            graph, "calls of clusters", attached.compiled, _calls
        )
        self._internal = internal
        self._attached = attached
        self._catalog = attached.catalog
        self.chosen: Derived[Proxied, ClusterKey] = mapped(
            graph, "clusters of proxies", demanded, self._choose
        )
        """As which each proxy sees each cluster."""
        self.by_name: Index[str, Proxied] = Index(
            graph, "proxies by cluster", self.chosen, lambda _, key: (key.name,)
        )
        self.used: Index[ClusterKey, Proxied] = Index(
            graph, "proxies of cluster", self.chosen, lambda _, key: (key,)
        )
        self.clusters: Derived[ClusterKey, Cluster] = mapped(
            graph, "clusters", self.used, self._cluster
        )
        self.mutual: Derived[Proxied, str] = Derived(
            graph, "clusters of the mesh's mutual TLS", self.clusters, self._mutual
        )
        self.endpoints: Derived[ClusterKey, ClusterEndpoints] = mapped_transient(
            graph, "cluster endpoints", self.clusters, self._cluster_endpoints
        )

    def _backend(self, reader: Reader, name: str) -> Backend | None:
        if name.startswith((names.HELLO, names.DETOUR)):
            return None
        keys = reader.get(self._attached.by_cluster, names.cluster_of(name))
        found = reader.get(self._catalog.backends, keys[0].whole) if keys else None
        return replace(found, key=keys[0]) if keys and found else None

    def _is_called(self, reader: Reader, name: str, backend: Backend) -> bool:
        """Whether its clients' version of HTTP is all there is to go by.

        So where the port does not say what it speaks, and where GRPCRoutes send to one that says
        something else than HTTP/2.
        """
        protocol = backend.port.protocol
        if protocol.is_undeclared:
            return True
        return not protocol.is_http2 and bool(reader.members(self._called, name))

    def _choose(self, reader: Reader, key: Proxied, _: Sequence[SenderKey]) -> ClusterKey:
        backend = self._backend(reader, key.cluster)
        service = reader.get(self._catalog.services, backend.key.service) if backend else None
        if backend is None or service is None:
            return ClusterKey(key.cluster)
        found = self._attached.rules.applying(reader, backend.key.host, service, key.proxy)
        return ClusterKey(
            key.cluster,
            namespace=key.proxy.namespace if found else "",
            rules=found,
            certificate=self._certificate(reader, key.proxy, backend),
            tunnels=(tunnels := self._tunnels(reader, key.proxy, backend)),
            beside_ztunnel=bool(found) and not tunnels and self._is_waypoint(reader, key.proxy),
        )

    def _tunnels(self, reader: Reader, gateway: Key, backend: Backend) -> bool:
        """Whether a proxy opens tunnels: one beside a ztunnel leaves that to it."""
        proxy = reader.get(self._attached.proxies, gateway)
        return backend.resolution is Resolution.KNOWN and bool(proxy and proxy.hears_names)

    def _is_waypoint(self, reader: Reader, gateway: Key) -> bool:
        proxy = reader.get(self._attached.proxies, gateway)
        return bool(proxy and proxy.role is Role.WAYPOINT)

    def _certificate(self, reader: Reader, gateway: Key, backend: Backend) -> Key | None:
        """The Gateway's own certificate, where a BackendTLSPolicy may have it shown."""
        proxy = reader.get(self._attached.proxies, gateway)
        key = self._attached.material.of_gateway(reader, proxy) if proxy else None
        if key is None:
            return None
        asked = self._attached.cluster_policies.asked(reader, backend)
        return key if any(each.policy.kind == "BackendTLSPolicy" for each in asked) else None

    def _cluster(self, reader: Reader, key: ClusterKey, _: Sequence[Proxied]) -> Cluster | None:
        backend = self._backend(reader, key.name)
        if backend is None:
            return reader.get(self._internal, key.name)
        plain = reader.get(self._attached.cluster_names, backend.key) or key.name
        addressed = key.name != plain
        inside = key.name == names.tunnelled(plain)
        discovery = _discovery(backend, addressed=addressed, inside=inside)
        resolved = discovery in {Discovery.DNS, Discovery.LOGICAL_DNS}
        ported = backend.resolution in {Resolution.NONE, Resolution.DYNAMIC_DNS}
        asked = tuple(self._asked(reader, key, backend))
        found = in_force(asked, self._subject(reader, key, backend))
        distribution = preferred(found.leaves) or backend.distribution
        unknown = bool(backend.key.subset) and self._subset(reader, key, backend) is None
        return Cluster(
            name=key.name,
            discovery=Discovery.NOWHERE if found.refusals or unknown else discovery,
            origin=Origin(backend.key.service),
            alt_stat_name=self._stat_name(reader, key, backend, addressed=addressed),
            http=backend.port.protocol.is_http,
            http2=backend.port.protocol.is_http2,
            follow_client=self._is_called(reader, plain, backend),
            negotiates=backend.port.protocol is Protocol.UNDECLARED
            and any(isinstance(each, UpstreamTls) for each in found.leaves),
            dns_endpoints=(
                self._members(reader, key, backend) if resolved and not found.refusals else ()
            ),
            port=backend.port.target_number if ported else 0,
            host=backend.key.host,
            distribution=distribution,
            # Endpoints that are not ready are among the others there, and are to get nothing.
            panic_threshold=0 if backend.distribution and discovery is Discovery.EDS else None,
            leaves=tuple(each for each in found.leaves if not (inside and _judges(each))),
            internal_listener=names.ORIGINATE if inside else "",
            tunnels="" if addressed and not inside else self._trust_domain(key),
            beside_ztunnel=key.beside_ztunnel,
            policies=tuple(dict.fromkeys(each.policy for each in asked)),
            refusals=found.refusals,
        )

    def _mutual(
        self, reader: Reader, key: ClusterKey, cluster: Cluster
    ) -> Iterator[tuple[Proxied, str]]:
        for proxied in reader.members(self.used, key) if is_mutual(cluster) else ():
            yield proxied, key.name

    def _stat_name(
        self, reader: Reader, key: ClusterKey, backend: Backend, *, addressed: bool
    ) -> str:
        if addressed:
            return names.stat_name(key.name)
        owner = owns_host(reader, self._catalog, backend.key)
        return names.alt_stat_name(backend.key, owner=owner)

    def _asked(self, reader: Reader, key: ClusterKey, backend: Backend) -> Iterator[Asked]:
        yield from self._attached.cluster_policies.asked(reader, backend)
        yield from self._attached.rules.asked(reader, key.rules, backend.key, key.namespace)
        service = reader.get(self._catalog.services, backend.key.service)
        if service is not None and service.speaks_tls:
            yield Asked(service.key, "", SpeaksTls())
        if service is not None and service.tls:
            yield Asked(service.key, "spec.tls", service.tls)

    def _subject(self, reader: Reader, key: ClusterKey, backend: Backend) -> Subject:
        return Subject(
            backend=backend.key,
            port=backend.port,
            settings=self._attached.settings,
            namespace=key.namespace,
            policy_namespace="",
            read=lambda held: self._attached.material.read(reader, held),
            permits=lambda source, held: self._attached.looks.grants.permits(reader, source, held),
            subject_alt_names=self._names(reader, backend.key),
            certificate=self._attached.material.certificate(reader, key.certificate),
            identity=workload_tls(self._attached.settings),
        )

    def _names(self, reader: Reader, backend: BackendKey) -> tuple[str, ...]:
        """What certificates may be for, as all objects of a namespace say that have one host.

        Istio: an entry with a Service's name adds its subjectAltNames to the Service.
        """
        claims = reader.rows(self._catalog.services_by_host, backend.host, self._catalog.services)
        own = (each for key, each in claims if key.namespace == backend.service.namespace)
        return tuple(dict.fromkeys(name for each in own for name in each.subject_alt_names))

    def _cluster_endpoints(
        self, reader: Reader, key: ClusterKey, cluster: Cluster
    ) -> ClusterEndpoints | None:
        backend = self._backend(reader, key.name) if cluster.discovery is Discovery.EDS else None
        if backend is None:
            return None
        # Who opens no tunnels cannot reach what is in another network.
        members = self._members(reader, key, backend)
        endpoints = tuple(each for each in members if cluster.tunnels or each.through is None)
        return ClusterEndpoints(
            key.name,
            endpoints,
            cluster.origin,
            cluster.distribution,
            cluster.tunnels,
            beyond=tuple(sorted({each.network for each in members if each not in endpoints}))
            if len(endpoints) < len(members)
            else (),
            told_apart=is_mutual(cluster),
        )

    def _subset(self, reader: Reader, key: ClusterKey, backend: Backend) -> Subset | None:
        return self._attached.rules.subset(reader, key.rules, backend.key, key.namespace)

    def _members(self, reader: Reader, key: ClusterKey, backend: Backend) -> tuple[Endpoint, ...]:
        """Its endpoints; of a subset those that have its labels, as a proxy's rules say."""
        found = reader.get(self._catalog.endpoints, backend.key.whole) or ()
        if not backend.key.subset:
            return found
        subset = self._subset(reader, key, backend)
        wanted = subset.labels.items() if subset else dict[str, str]().items()
        own = self._attached.settings.cluster_id
        return tuple(each for each in found if wanted <= labels_of(each, own).items())

    def _trust_domain(self, key: ClusterKey) -> str:
        return self._attached.settings.trust_domain if key.tunnels else ""
