"""The certificates that a proxy's listeners show, and the CAs that vouch for their clients."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from serai.api.meta import Key
from serai.attach.listeners import ListenerKey, ListenerState
from serai.incremental import Derived, Graph, Index, Node, Reader, Union
from serai.ir.listener import Listener
from serai.ir.origin import Origin
from serai.ir.route import Forward, RouteConfiguration
from serai.ir.secret import ClientAuthority, Confidence, Secret, ServerCertificate
from serai.translate import names
from serai.translate.clusters import Proxied
from serai.translate.collections import Attached, Named
from serai.translate.gateway_tls import trusted
from serai.translate.inbound import workload_secrets


class _Shown(NamedTuple):
    proxy: Key
    secret: Key


class _Port(NamedTuple):
    proxy: Key
    port: int


def secrets(
    graph: Graph,
    attached: Attached,
    detours: Node[Named, Listener],
    mutual: Node[Proxied, str],
    routes: Node[Named, RouteConfiguration],
) -> Node[Named, Secret]:
    """Everything that proxies are told in confidence.

    `detours` are the tunnels that gateways open to waypoints; `mutual` are the clusters whose
    endpoints are shown the proxy's own certificate.
    """
    parts: tuple[Node[Named, Secret], ...] = (
        server_certificates(graph, attached),
        client_authorities(graph, attached),
        listener_authorities(graph, attached),
        workload_secrets(graph, attached, detours, mutual),
        confidences(graph, routes),
    )
    return Union(graph, "secrets of proxies", parts)


def server_certificates(graph: Graph, attached: Attached) -> Derived[Named, ServerCertificate]:
    """Every certificate that a listener shows, once for each proxy."""
    shown: Index[_Shown, ListenerKey] = Index(
        graph, "certificates of proxies", attached.listeners, _shown
    )

    def rows(
        reader: Reader, key: _Shown, _: Sequence[ListenerKey]
    ) -> Iterator[tuple[Named, ServerCertificate]]:
        found = reader.get(attached.certificates.pairs, key.secret)
        if found is not None and found.pair is not None:
            name = names.server_certificate(key.secret)
            origin = Origin(key.secret)
            certificate = ServerCertificate(name, found.pair.chain, found.pair.key, origin)
            yield Named(key.proxy, name), certificate

    return Derived(graph, "server certificates", shown, rows)


def client_authorities(graph: Graph, attached: Attached) -> Derived[Named, ClientAuthority]:
    """The CAs for each port of a gateway that checks its clients."""
    checked: Index[_Port, ListenerKey] = Index(
        graph, "ports that check clients", attached.listeners, _checked
    )

    def rows(
        reader: Reader, key: _Port, members: Sequence[ListenerKey]
    ) -> Iterator[tuple[Named, ClientAuthority]]:
        state = reader.get(attached.listeners, members[0])
        validation = state.tls.validation if state and state.tls else None
        if validation is None:
            return
        found = [
            (each, pem)
            for each in validation.authorities
            if (pem := attached.certificates.authority(reader, each))
        ]
        name = names.client_authority(*key)
        text = "\n".join(pem.strip() for _, pem in found) + "\n"
        origins = tuple(Origin(each) for each, _ in found)
        yield Named(key.proxy, name), ClientAuthority(name, text, origins)

    return Derived(graph, "client authorities", checked, rows)


def listener_authorities(graph: Graph, attached: Attached) -> Derived[Named, ClientAuthority]:
    """The CAs for each listener that checks its clients as a listener policy says."""

    def rows(
        reader: Reader, key: ListenerKey, state: ListenerState
    ) -> Iterator[tuple[Named, ClientAuthority]]:
        found = trusted(reader, attached, state) if state.served else None
        if found is not None and found.pem:
            name = names.listener_authority(key, state.listener.port)
            origins = tuple(Origin(each) for each in found.sources)
            yield Named(state.gateway, name), ClientAuthority(name, found.pem, origins)

    return Derived(graph, "client authorities of listeners", attached.listeners, rows)


def _shown(_: ListenerKey, state: ListenerState) -> Iterator[_Shown]:
    for each in state.tls.certificates if state.served and state.tls else ():
        yield _Shown(state.gateway, each)


def _checked(_: ListenerKey, state: ListenerState) -> Iterator[_Port]:
    if state.served and state.tls and state.tls.validation:
        yield _Port(state.gateway, state.listener.port)


def confidences(
    graph: Graph, routes: Node[Named, RouteConfiguration]
) -> Derived[Named, Confidence]:
    """What filters of a proxy's routes are told, once however many routes have them."""
    told: Index[Named, Named] = Index(graph, "confidences of routes", routes, _told)

    def rows(
        reader: Reader, key: Named, members: Sequence[Named]
    ) -> Iterator[tuple[Named, Confidence]]:
        row = reader.get(routes, members[0])
        found = (each for each in _confidences(row) if each.name == key.name) if row else iter(())
        yield from ((key, each) for each in itertools.islice(found, 1))

    return Derived(graph, "confidences", told, rows)


def _told(key: Named, row: RouteConfiguration) -> Iterator[Named]:
    return (Named(key.proxy, name) for name in {each.name for each in _confidences(row)})


def _confidences(row: RouteConfiguration) -> Iterator[Confidence]:
    for host in row.virtual_hosts:
        for route in host.routes:
            shares = route.action.clusters if isinstance(route.action, Forward) else ()
            for leaves in (host.leaves, route.leaves, *(each.leaves for each in shares)):
                for leaf in leaves:
                    yield from leaf.secrets
