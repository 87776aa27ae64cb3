"""The listeners of a gateway that speak TLS -> filter chains, route configurations and secrets.

Each listener has chains of its own, found one by one (FCDS), so that a listener that comes, goes
or changes its certificates drains nobody else's connections.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from serai.api.meta import Key
from serai.attach.hostnames import ANY
from serai.attach.listeners import HelloKey, ListenerKey, ListenerState
from serai.incremental import Derived, Graph, Index, Reader
from serai.ir.listener import (
    CLOSED,
    ClientCheck,
    FilterChain,
    NamedRoutes,
    SniMatch,
    Tls,
)
from serai.ir.origin import Origin
from serai.ir.route import VirtualHost
from serai.listener_policies.client_certificates import Trusted
from serai.translate import names
from serai.translate.collections import Attached, Named
from serai.translate.division import is_divisible
from serai.translate.gateway_hosts import misdirection
from serai.translate.listener_policies import of_chain
from serai.translate.streams import streams

ELSEWHERE = "elsewhere~"
"""The virtual host of what is misdirected; no host's name."""
MOST_APART = 64
"""Host names that no other covers and that are each written beside those of other listeners."""
NOBODY = "0" * 64
"""The hash of a certificate that nobody has."""
HTTP_PROTOCOLS = ("h2", "http/1.1")


class GatewayPortKey(NamedTuple):
    """A port of a gateway."""

    gateway: Key
    port: int


def sni_chains(
    reader: Reader, attached: Attached, states: Iterable[ListenerState]
) -> tuple[SniMatch, ...]:
    """Which host names lead to which chain, sorted by name."""
    found = [each for state in states for each, _ in _chains(reader, attached, state)]
    return tuple(sorted(found, key=lambda each: each.host))


def ended_by(
    reader: Reader, attached: Attached, states: Iterable[ListenerState]
) -> tuple[Tls, ...]:
    """How the chains of some listeners end TLS, each way once."""
    found = (_tls(state, trusted(reader, attached, state)) for state in states)
    return tuple(dict.fromkeys(tls for tls in found if tls))


def trusted(reader: Reader, attached: Attached, state: ListenerState) -> Trusted | None:
    """Who vouches for the clients of a listener, where a listener policy says so."""
    if state.tls is None:
        return None
    found = attached.listener_policies.of_listeners(reader, [state])
    return next((leaf.value for leaf in found if isinstance(leaf.value, Trusted)), None)


def gateway_chains(graph: Graph, attached: Attached) -> Derived[Named, FilterChain]:
    """The filter chains of each listener that speaks TLS."""

    def rows(
        reader: Reader, _: ListenerKey, state: ListenerState
    ) -> Iterator[tuple[Named, FilterChain]]:
        if state.served and state.told_by_sni:
            found = attached.listener_policies.of_listeners(reader, [state])
            for _match, chain in _chains(reader, attached, state):
                settings = of_chain(found, http=isinstance(chain.handling, NamedRoutes))
                yield Named(state.gateway, chain.name), replace(chain, settings=settings)

    return Derived(graph, "gateway chains", attached.listeners, rows)


def _chains(
    reader: Reader, attached: Attached, state: ListenerState
) -> Iterator[tuple[SniMatch, FilterChain]]:
    port, host = state.listener.port, state.hostname
    tls = _tls(state, trusted(reader, attached, state))
    if state.listener.protocol == "HTTPS":
        name = names.gateway_chain(state.key, port)
        routes = NamedRoutes(name, divisible=is_divisible(host))
        yield SniMatch(host, name), FilterChain(name, routes, Origin(state.key.parent), tls)
        return
    found = {
        each.hostname: each
        for each in streams(reader, attached, state)
        if _is_own(reader, attached, state, each.hostname)
    }
    for hostname, stream in found.items():
        name = names.gateway_chain(state.key, port, hostname)
        chain = FilterChain(name, stream.forward, stream.origin, tls)
        yield SniMatch(hostname, name), chain
    if host not in found:
        name = names.gateway_chain(state.key, port, host)
        chain = FilterChain(name, CLOSED, Origin(state.key.parent), tls)
        yield SniMatch(host, name), chain


def _is_own(reader: Reader, attached: Attached, state: ListenerState, hostname: str) -> bool:
    """Whether no other listener of the port is nearer to a host that a route asks for.

    Of two chains for one host Envoy would refuse both, and with them all of the port.
    """
    key = HelloKey(state.gateway, state.listener.port, hostname)
    return state.key in attached.listening.named_by_hello(reader, key)


def _tls(state: ListenerState, named: Trusted | None) -> Tls | None:
    if state.tls is None:
        return None
    options, validation = state.tls.options, state.tls.validation
    clients: ClientCheck | None = None
    if named is not None:
        clients = ClientCheck(
            authority=names.listener_authority(state.key, state.listener.port) if named.pem else "",
            optional=named.optional,
            names=options.client_names,
            hashes=options.client_hashes if named.pem else (NOBODY,),
        )
    elif validation or options.client_names or options.client_hashes:
        port = state.listener.port
        clients = ClientCheck(
            authority=names.client_authority(state.gateway, port) if validation else "",
            insecure=validation.insecure if validation else False,
            names=options.client_names if validation else (),
            hashes=options.client_hashes,
        )
    http = HTTP_PROTOCOLS if state.listener.protocol == "HTTPS" else ()
    return Tls(
        certificates=tuple(names.server_certificate(each) for each in state.tls.certificates),
        alpn=options.alpn or http,
        clients=clients,
        min_version=options.min_version,
        max_version=options.max_version,
        ciphers=options.ciphers,
        curves=options.curves,
        signatures=options.signatures,
    )


class Beside(NamedTuple):
    """Of a port, the hosts of its TLS and HTTPS listeners that one is the nearest to cover."""

    port: GatewayPortKey
    wider: str
    """Empty: those that none covers."""


def hello_hosts(graph: Graph, attached: Attached) -> Derived[Beside, tuple[str, ...]]:
    """The host names of all HTTPS and TLS listeners of a port, usable or not, by what covers them.

    A client that has a connection may send requests for whatever its certificate is for, also
    for what is a TLS listener's.
    """
    on_port: Index[GatewayPortKey, ListenerKey] = Index(
        graph, "TLS listeners of port", attached.listeners, lambda _, state: _hello_port(state)
    )

    def rows(
        reader: Reader, key: GatewayPortKey, _: Sequence[ListenerKey]
    ) -> Iterator[tuple[Beside, tuple[str, ...]]]:
        states = reader.rows(on_port, key, attached.listeners)
        found = by_wider({state.hostname for _, state in states})
        yield from ((Beside(key, wider), hosts) for wider, hosts in found.items())

    return Derived(graph, "TLS hosts of port", on_port, rows)


def _hello_port(state: ListenerState) -> Iterator[GatewayPortKey]:
    if state.told_by_sni and not state.conflict:
        yield GatewayPortKey(state.gateway, state.listener.port)


def by_wider(hostnames: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Host names by the nearest of them that covers each.

    Of more than `MOST_APART` that none covers it is as if there were all: connections are then
    misdirected for whatever host is not their own.
    """
    found: dict[str, list[str]] = {}
    for each in sorted(hostnames):
        found.setdefault(next((one for one in _wider(each) if one in hostnames), ""), []).append(
            each
        )
    if len(found.get("", ())) > MOST_APART:
        found[""] = [ANY]
    return {wider: tuple(hosts) for wider, hosts in found.items()}


def told_apart(own: str, uncovered: Iterable[str], covered: Iterable[str]) -> tuple[str, ...]:
    """Those of other listeners' hostnames that have to be written beside a listener's own.

    Those that none covers, and those that its own covers; the others lie below one of another
    listener anyway.  Were all written, what a port's listeners say would grow with the square of
    their number.
    """
    return tuple(sorted({*uncovered, *covered} - {own}))


def _wider(hostname: str) -> Iterator[str]:
    """The patterns that cover a hostname, the most specific first."""
    labels = hostname.removeprefix("*.").split(".")
    for start in range(1, len(labels)):
        yield "*." + ".".join(labels[start:])
    if hostname != ANY:
        yield ANY


def in_one(
    hosts: tuple[VirtualHost, ...], others: Iterable[str], origin: Origin
) -> tuple[VirtualHost, ...]:
    """A listener's virtual hosts, with one for all that is misdirected: for `others`, too.

    Requests for hosts of other listeners of the port came by a connection that is not theirs.
    """
    route = (misdirection(origin),)
    rest = tuple(each for each in hosts if each.routes != route)
    elsewhere = {*others, *(each.name for each in hosts if each.routes == route)}
    domains = tuple(sorted(elsewhere))
    return (*rest, VirtualHost(ELSEWHERE, domains, route)) if domains else rest
