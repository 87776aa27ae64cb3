"""Gateways that go through a backend's waypoint: tunnels that are opened inside the gateway.

A listener inside the proxy puts what is sent to the backend into a CONNECT request for the
backend's address, and sends that to the waypoint, over mutual TLS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serai.api.meta import Key
from serai.attach.gateways import Proxy
from serai.attach.transports import HBONE
from serai.incremental import Derived, Graph, Index, Reader, mapped
from serai.ir.cluster import Cluster, Discovery, Endpoint
from serai.ir.listener import Listener, TcpForward, Tunnel
from serai.ir.origin import Origin
from serai.ir.route import WeightedCluster
from serai.model.spiffe import spiffe_prefix
from serai.translate import names
from serai.translate.clusters import Proxied, SenderKey
from serai.translate.collections import Attached, Named
from serai.translate.material import workload_tls


def detour_listeners(
    graph: Graph, attached: Attached, demanded: Index[Proxied, SenderKey]
) -> Derived[Named, Listener]:
    """The listener inside each gateway for each backend that it reaches so."""

    def rows(
        reader: Reader, key: Proxied, _: Sequence[SenderKey]
    ) -> Iterator[tuple[Named, Listener]]:
        if not key.cluster.startswith(names.DETOUR):
            return
        for found in reader.members(attached.by_cluster, names.cluster_of(key.cluster)):
            detour = reader.get(attached.detours, found)
            if detour is not None:
                to = (WeightedCluster(names.waypoint_cluster(detour.waypoint)),)
                listener = Listener(
                    name=key.cluster,
                    addresses=(),
                    port=0,
                    default=TcpForward(to, Tunnel.FIXED, detour.authority),
                    origin=Origin(found.service),
                    http=detour.http,
                    http2=detour.http2,
                )
                yield Named(key.proxy, key.cluster), listener

    return Derived(graph, "detour listeners", demanded, rows)


def tunnel_clusters(graph: Graph, attached: Attached) -> tuple[Derived[str, Cluster], ...]:
    """Where tunnels lead: to waypoints, and to endpoints."""
    return _waypoints(graph, attached), _originating(graph, attached), _across(graph, attached)


def _waypoints(graph: Graph, attached: Attached) -> Derived[str, Cluster]:
    """The HBONE port of each waypoint that has one.

    Where it runs on this machine it is where it was placed, else where its Service is.
    """

    def rows(reader: Reader, key: Key, proxy: Proxy) -> Iterator[tuple[str, Cluster]]:
        port = next((each.port for each in proxy.transports if each.protocol == HBONE), 0)
        if not port:
            return
        settings = attached.settings
        placed = reader.get(attached.addresses, key) if settings.standalone else None
        hosts = placed or (f"{key.name}.{key.namespace}.svc.{settings.cluster_domain}",)
        name = names.waypoint_cluster(key)
        cluster = Cluster(
            name=name,
            discovery=Discovery.DNS,
            origin=Origin(key),
            alt_stat_name=names.stat_name(name),
            http2=True,
            dns_endpoints=tuple(Endpoint(host, port) for host in hosts),
            tls=workload_tls(settings),
            identities=spiffe_prefix(settings.trust_domain, key.namespace),
        )
        yield name, cluster

    return Derived(graph, "clusters of waypoints", attached.proxies, rows)


def _originating(graph: Graph, attached: Attached) -> Derived[str, Cluster]:
    """Where tunnels to endpoints lead: to the endpoint itself, at the port for HBONE."""
    by_name: Index[str, Key] = Index(
        graph,
        "originating proxies",
        attached.proxies,
        lambda _, proxy: (names.ORIGINATE,) if proxy.hears_names else (),
    )
    settings = attached.settings

    def cluster(_: Reader, name: str, proxies: Sequence[Key]) -> Cluster:
        return Cluster(
            name=name,
            discovery=Discovery.ORIGINAL_DST,
            origin=Origin(proxies[0]),
            alt_stat_name=names.stat_name(name),
            http2=True,
            port=settings.hbone_port,
            tls=workload_tls(settings),
            identities=f"spiffe://{settings.trust_domain}/",
        )

    return mapped(graph, "cluster of tunnels", by_name, cluster)


def _across(graph: Graph, attached: Attached) -> Derived[str, Cluster]:
    """Where tunnels into other networks lead: the inner into the outer, and that to the entrance.

    Only the inner one's end is the service, whose identities are known.
    """
    by_name: Index[str, Key] = Index(
        graph,
        "proxies that reach other networks",
        attached.proxies,
        lambda _, proxy: (names.INWARD, names.OUTWARD) if proxy.hears_names else (),
    )
    settings = attached.settings

    def cluster(reader: Reader, name: str, proxies: Sequence[Key]) -> Cluster | None:
        if not attached.catalog.networks.apart(reader):
            return None
        inner = name == names.INWARD
        return Cluster(
            name=name,
            discovery=Discovery.INTERNAL if inner else Discovery.ORIGINAL_DST,
            origin=Origin(proxies[0]),
            alt_stat_name=names.stat_name(name),
            http2=True,
            internal_listener=names.OUTWARD if inner else "",
            passes_state=inner,
            tls=workload_tls(settings),
            identities=f"spiffe://{settings.trust_domain}/",
        )

    return mapped(graph, "clusters into other networks", by_name, cluster)
