"""ir.Listener and ir.FilterChain -> Listener and FilterChain.

Nothing in a listener depends on which HTTP services, routes or policies there are: a change to
any field of it would drain all of its connections.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from serai.ir.listener import CLOSED, Connects, Handling, NamedRoutes, ScopedRoutes, TcpForward, Tls
from serai.ir.listener import FilterChain as IrChain
from serai.ir.listener import Listener as IrListener
from serai.ir.origin import Origin
from serai.listener_policies.setting import Changes
from serai.proto.envoy import (
    Filter,
    FilterChain,
    HttpInspector,
    Listener,
    OriginalDst,
    TlsInspector,
    TransportSocket,
)
from serai.translate.names import INWARD
from serai.xds.encode.body import ADS, extension, resource
from serai.xds.encode.chain_matcher import chain_matcher, sni_matcher
from serai.xds.encode.connect import connects
from serai.xds.encode.http import http
from serai.xds.encode.identity import destination, identity, proxy_protocol, relay, source
from serai.xds.encode.mesh_tls import downstream
from serai.xds.encode.originate import expected_identity, onward
from serai.xds.encode.policies import network_filters
from serai.xds.encode.settings import changes, listener_filters
from serai.xds.encode.tcp import tcp_proxy
from serai.xds.encode.tls import ended
from serai.xds.encode.udp import udp_proxy
from serai.xds.resource import Resource, ResourceType

UNCHOSEN = "unchosen"
_HTTP = ("http/1.0", "http/1.1", "h2c")
"""What the inspector calls what it has seen."""
_LOOK = timedelta(seconds=1)
"""How long a client may be silent before its connection is taken for one that is not HTTP, which
is what a client waits for where the server speaks first."""


def encode_listener(listener: IrListener) -> Resource:
    """A listener, with the chains that are found by scoped or named routes inside it."""
    if listener.udp and isinstance(listener.default, TcpForward):
        message = Listener(
            name=listener.name,
            stat_prefix=listener.name,
            listener_filters=[udp_proxy(listener.name, listener.default)],
            udp_listener_config={"downstream_socket_config": {}},
            **_addresses(listener),
        )
        return resource(ResourceType.LISTENER, listener.name, message, (listener.origin,))
    asked = changes(listener.settings)
    message = Listener(
        name=listener.name,
        stat_prefix=listener.name,
        listener_filters=[*listener_filters(asked), *_listener_filters(listener)],
        **_addresses(listener),
        **_patience(listener),
        **_chains(listener, asked),
        **asked.listener,
    )
    return resource(ResourceType.LISTENER, listener.name, message, _origins(listener))


def encode_chain(chain: IrChain) -> Resource:
    """A filter chain that is discovered by itself."""
    message = _filter_chain(
        chain.name,
        chain.handling,
        changes(chain.settings),
        identified=chain.identified,
        tls=chain.tls,
    )
    return resource(ResourceType.FILTER_CHAIN, chain.name, message, _origins(chain))


def _origins(made: IrListener | IrChain) -> tuple[Origin, ...]:
    """Every object that had a part in it, its own first."""
    return (made.origin, *dict.fromkeys(leaf.origin for leaf in made.settings))


def _chains(listener: IrListener, asked: Changes) -> dict[str, Any]:
    chains: dict[str, Any] = {}
    if listener.default is not None:
        known = listener.proxy_protocol or bool(listener.server_names and listener.tunnelled)
        chain = _filter_chain(listener.name, listener.default, asked, identified=known)
        if listener.originates:
            inner = listener.name == INWARD
            before = [Filter(**expected_identity(inner=inner))]
            before += [Filter(**onward())] if inner else []
            filters = [*before, *chain.filters]
            chain = FilterChain(name=listener.name, filters=filters)
        if listener.tls is not None:
            chain.transport_socket.CopyFrom(TransportSocket(**downstream(listener.tls)))
        chains["default_filter_chain"] = chain
    if listener.chains:
        chains["filter_chain_matcher"] = chain_matcher(
            listener.chains, by_tlv=listener.proxy_protocol
        )
    if listener.sni:
        chains["filter_chain_matcher"] = sni_matcher(listener.sni)
    if listener.chains or listener.sni:
        chains["fcds_config"] = {"config_source": ADS}
        chains["filter_chains"] = list(_never_chosen(listener))
    if listener.requests is not None:
        told = _filter_chain(listener.requests.name, listener.requests, asked, identified=True)
        if isinstance(listener.default, TcpForward) and listener.default.relayed:
            filters = [Filter(**relay()), *told.filters]
            told = FilterChain(name=told.name, filters=filters)
        told.filter_chain_match.application_protocols.extend(_HTTP)
        chains["filter_chains"] = [told]
    if listener.server_names:
        chains["filter_chains"] = list(_by_server_name(listener, asked))
    return chains


def _by_server_name(listener: IrListener, asked: Changes) -> Iterator[FilterChain]:
    for each in listener.server_names:
        known = listener.tunnelled
        chain = _filter_chain(listener.name, each.forward, asked, identified=known)
        chain.name = each.host
        chain.filter_chain_match.server_names.append(each.host)
        yield chain


def _never_chosen(listener: IrListener) -> Iterator[FilterChain]:
    """Chains that nothing leads to.

    Envoy 1.40 updates the matcher of a listener in place only if there is a chain in the listener
    itself; else all of its connections are drained.  And it asks for the secrets of a chain that
    is discovered later only if something else has asked for them.
    """
    yield FilterChain(name=UNCHOSEN, filters=[tcp_proxy(UNCHOSEN, CLOSED)])
    for number, tls in enumerate(listener.ended):
        yield FilterChain(
            name=f"{UNCHOSEN}~{number}",
            filters=[tcp_proxy(UNCHOSEN, CLOSED)],
            transport_socket=ended(tls),
        )


def _addresses(listener: IrListener) -> dict[str, Any]:
    if not listener.addresses:
        return {"internal_listener": {}}
    first, *others = [_address(each, listener) for each in listener.addresses]
    return {"address": first, "additional_addresses": [{"address": one} for one in others]}


def _patience(listener: IrListener) -> dict[str, Any]:
    if listener.requests is None:
        return {}
    return {"listener_filters_timeout": _LOOK, "continue_on_listener_filters_timeout": True}


def _listener_filters(listener: IrListener) -> list[dict[str, Any]]:
    filters = [proxy_protocol()] if listener.proxy_protocol else []
    if listener.tunnelled or listener.originates:
        filters.append(extension("envoy.filters.listener.original_dst", OriginalDst()))
    if listener.reads_hello:
        filters.append(extension("envoy.filters.listener.tls_inspector", TlsInspector()))
    if listener.requests is not None:
        filters.append(extension("envoy.filters.listener.http_inspector", HttpInspector()))
    return filters


def _filter_chain(
    name: str,
    handling: Handling,
    asked: Changes,
    *,
    identified: bool,
    tls: Tls | None = None,
) -> FilterChain:
    """Identity first, so that everything after it can ask who calls."""
    filters = [identity() if identified else source()]
    match handling:
        case TcpForward():
            filters = filters if identified or handling.leaves else []
            filters += network_filters(handling.leaves)
            filters += [relay()] if handling.relayed else []
            filters += [destination()] if handling.destined else []
            filters.append(tcp_proxy(name, handling, mesh=identified))
        case Connects():
            filters = [connects(name, handling)]
        case _:
            mesh = identified or isinstance(handling, ScopedRoutes)
            filters += [destination()] if _hands_on(handling, identified=identified) else []
            filters.append(http(name, handling, asked, mesh=mesh))
    sockets = {"transport_socket": ended(tls)} if tls else {}
    return FilterChain(name=name, filters=filters, **sockets, **asked.chain)


def _hands_on(handling: Handling, *, identified: bool) -> bool:
    """Whether requests may be for endpoints' own addresses, in tunnels; never at a VIP itself."""
    match handling:
        case ScopedRoutes(by_authority):
            return identified or by_authority
        case NamedRoutes(_, destined):
            return destined
        case _:
            return False


def _address(address: str, listener: IrListener) -> dict[str, Any]:
    protocol = {"protocol": "UDP"} if listener.udp else {}
    return {"socket_address": {"address": address, "port_value": listener.port, **protocol}}
