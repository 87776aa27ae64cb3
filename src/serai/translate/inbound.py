"""Where a waypoint's clients come in: by the PROXY protocol, by HBONE, or at a VIP on loopback.

What came in by either of the first two is handled alike: by the same chains, scopes and routes.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from serai.api.meta import Key
from serai.attach.frontends import Binding, BindingKey
from serai.attach.gateways import Proxy
from serai.attach.transports import PROXY
from serai.attach.workload_capture import WorkloadAddress
from serai.incremental import Derived, Graph, Index, Node, Reader
from serai.ir.leaf import Leaf
from serai.ir.listener import (
    ChainMatch,
    Connects,
    Handling,
    Listener,
    ScopedRoutes,
    TcpForward,
    Tunnel,
)
from serai.ir.origin import Origin
from serai.ir.route import WeightedCluster
from serai.ir.secret import AuthorityFile, CertificateFiles, Secret
from serai.ir.tls import WorkloadTls
from serai.model.addresses import is_loopback, is_range
from serai.model.service import Resolution
from serai.model.settings import MOUNTED_IDENTITY, Settings
from serai.translate import names
from serai.translate.chains import asked_of
from serai.translate.clusters import Proxied
from serai.translate.collections import Attached, Named
from serai.translate.listener_policies import of_chain, of_port
from serai.translate.material import workload_tls
from serai.translate.undeclared import inspected


def waypoint_listeners(
    graph: Graph,
    attached: Attached,
    chains: Node[BindingKey, ChainMatch],
    workloads: Node[WorkloadAddress, ChainMatch],
) -> Derived[Named, Listener]:
    """The listeners of each waypoint for its transports."""
    of_waypoint: Index[Key, BindingKey] = Index(
        graph, "chain matches of waypoint", chains, lambda key, _: (key.waypoint,)
    )
    to_workloads: Index[Key, WorkloadAddress] = Index(
        graph, "workloads of waypoint", workloads, lambda key, _: (key.waypoint,)
    )

    def rows(reader: Reader, key: Key, proxy: Proxy) -> Iterator[tuple[Named, Listener]]:
        found = tuple(match for _, match in reader.rows(of_waypoint, key, chains))
        found += tuple(match for _, match in reader.rows(to_workloads, key, workloads))
        matches = tuple(each for each in found if each.unaddressed or not each.by_name)
        placed = reader.get(attached.addresses, key)
        settings = attached.settings
        asked = attached.listener_policies.of_waypoint(reader, key, proxy.listeners)
        for transport in proxy.transports if placed != () else ():
            proxied = transport.protocol == PROXY
            bound = settings.proxy_bind if proxied else settings.hbone_bind
            for suffix, addresses in _by_family(bound) if placed is None else (("", placed),):
                yield _named(
                    _proxied(key, suffix, addresses, transport.port, matches)
                    if proxied
                    else _ending(key, suffix, addresses, transport.port, workload_tls(settings)),
                    asked if proxied else of_port(asked),
                )
        if proxy.hears_names:
            yield _named(_tunnelled(key, found), of_chain(asked, http=True))
            yield _named(_originating(key))
            for listener in _across(key) if attached.catalog.networks.apart(reader) else ():
                yield _named(listener)

    return Derived(graph, "waypoint listeners", attached.proxies, rows)


def _by_family(addresses: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Addresses that share a listener, with what its name ends on.

    Envoy listens on all addresses of a listener or on none; whether a Pod has IPv6 is not known.
    """
    v6 = tuple(each for each in addresses if ":" in each)
    v4 = tuple(each for each in addresses if ":" not in each)
    found = (v4, v6) if v4 else (v6, ())
    yield from zip(("", names.OF_OTHER_FAMILY), filter(None, found), strict=False)


def _named(listener: Listener, settings: tuple[Leaf, ...] = ()) -> tuple[Named, Listener]:
    return Named(listener.origin.key, listener.name), replace(listener, settings=settings)


def _proxied(
    key: Key, suffix: str, addresses: tuple[str, ...], port: int, chains: tuple[ChainMatch, ...]
) -> Listener:
    return Listener(
        name=names.WAYPOINT_LISTENER + suffix,
        addresses=addresses,
        port=port,
        default=ScopedRoutes(),
        origin=Origin(key),
        chains=chains,
        proxy_protocol=True,
    )


def _ending(
    key: Key, suffix: str, addresses: tuple[str, ...], port: int, tls: WorkloadTls
) -> Listener:
    """Where tunnels end.  Nothing in it depends on what is inside them."""
    inside = WeightedCluster(names.TUNNELLED_LISTENER)
    return Listener(
        name=names.HBONE_LISTENER + suffix,
        addresses=addresses,
        port=port,
        default=Connects(inside, of_mesh=True),
        origin=Origin(key),
        tls=tls,
    )


def _tunnelled(key: Key, chains: tuple[ChainMatch, ...]) -> Listener:
    return Listener(
        name=names.TUNNELLED_LISTENER,
        addresses=(),
        port=0,
        default=ScopedRoutes(by_authority=True),
        origin=Origin(key),
        chains=chains,
        tunnelled=True,
    )


def _originating(key: Key) -> Listener:
    """Where tunnels to endpoints in the mesh begin; the same whatever endpoints there are."""
    to = (WeightedCluster(names.ORIGINATE),)
    forward = TcpForward(to, Tunnel.DESTINATION)
    return Listener(names.ORIGINATE, (), 0, forward, Origin(key), originates=True)


def _across(key: Key) -> tuple[Listener, ...]:
    """Where tunnels into other networks begin: one to the entrance, and another inside it."""
    tunnels = ((names.INWARD, Tunnel.INWARD), (names.OUTWARD, Tunnel.OUTWARD))
    return tuple(
        Listener(
            name, (), 0, TcpForward((WeightedCluster(name),), tunnel), Origin(key), originates=True
        )
        for name, tunnel in tunnels
    )


def workload_secrets(
    graph: Graph, attached: Attached, detours: Node[Named, Listener], mutual: Node[Proxied, str]
) -> Derived[Named, Secret]:
    """Where each proxy of the mesh finds its own certificate, and the mesh's authority.

    A gateway is of the mesh if it opens tunnels: by `detours`; and so is a proxy that shows its
    certificate to endpoints: for `mutual` clusters.
    """
    by_proxy: Index[Key, Proxied] = Index(
        graph, "mutual clusters of proxy", mutual, lambda key, _: (key.proxy,)
    )
    by_gateway: Index[Key, Named] = Index(
        graph, "detours of gateway", detours, lambda key, _: (key.proxy,)
    )

    def rows(reader: Reader, key: Key, proxy: Proxy) -> Iterator[tuple[Named, Secret]]:
        outward = bool(reader.members(by_gateway, key)) or bool(reader.members(by_proxy, key))
        if not proxy.hears_names and not outward:
            return
        folder = identity_folder(attached.settings, proxy)
        chain, private = f"{folder}/cert-chain.pem", f"{folder}/key.pem"
        own = CertificateFiles(names.WORKLOAD_CERTIFICATE, folder, chain, private, Origin(key))
        root = f"{folder}/root-cert.pem"
        authority = AuthorityFile(names.WORKLOAD_AUTHORITY, folder, root, Origin(key))
        yield Named(key, own.name), own
        yield Named(key, authority.name), authority

    return Derived(graph, "workload secrets", attached.proxies, rows)


def identity_folder(settings: Settings, proxy: Proxy) -> str:
    """Where a proxy's certificate is, under the names that Istio gives such files."""
    base = settings.identity_folder or MOUNTED_IDENTITY
    return f"{base}/{proxy.name}" if settings.identity_by_gateway else base


def loopback_listeners(graph: Graph, attached: Attached) -> Derived[Named, Listener]:
    """Standalone, a VIP on loopback is bound itself, so that it is captured without a mesh.

    Nobody can claim an identity there.
    """

    def rows(reader: Reader, key: BindingKey, binding: Binding) -> Iterator[tuple[Named, Listener]]:
        bindable = attached.settings.standalone and not is_range(key.cidr)
        if not bindable or not is_loopback(key.cidr):
            return
        frontend = reader.get(attached.frontends, binding.frontend)
        if frontend is None or key.cidr in frontend.names or frontend.key.direct:
            return  # an endpoint's own address is where the endpoint itself listens
        if frontend.resolution is Resolution.NONE:
            return  # who connected there would be sent there again, without end
        http = frontend.port.protocol.is_http
        handling: Handling = ScopedRoutes() if http else inspected(reader, attached, frontend)
        name = names.loopback_listener(key.cidr, key.port)
        origin = Origin(frontend.key.service)
        asked = asked_of(reader, attached, key.waypoint)
        own = asked if http else (*of_port(asked), *of_chain(asked, http=False))
        listener = Listener(name, (key.cidr,), key.port, handling, origin, settings=own)
        yield Named(key.waypoint, name), listener

    return Derived(graph, "loopback listeners", attached.bindings, rows)
