"""From a connection to what is done with it: the listener, then its chain or scope."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from serai.ir.leaf import Leaf
from serai.ir.listener import ChainMatch, Connects, Handling, Listener, NamedRoutes, TcpForward
from serai.ir.origin import Origin, Value
from serai.ir.route import RouteConfiguration
from serai.model.addresses import canonical, is_ip, with_port
from serai.trace.hello import chain_by_name
from serai.trace.outcome import Answered, Closed, Other, Step
from serai.trace.request import Destination, TraceRequest
from serai.trace.view import ProxyView
from serai.translate.division import part_of


class Connected(Value, frozen=True):
    """What is done with a connection, and what is known of it."""

    handling: Handling
    identified: bool
    """Whether it may carry an identity."""
    ended: bool = False
    """Whether it was TLS until here."""
    settings: tuple[Leaf, ...] = ()
    """What listener policies ask of it."""


def listener_of(view: ProxyView, request: TraceRequest) -> Listener | None:
    """The listener that a request's connection reaches."""
    match request.way:
        case Destination(_, address, port, proxied, hbone):
            if hbone:
                return view.tunnelled_listener()
            if proxied:
                return view.proxied_listener()
            return view.loopback_listener(canonical(address) or address, port)
        case gateway if request.scheme == "udp":
            return view.udp_listener(gateway.port)
        case gateway:
            return view.gateway_listener(gateway.port)


def entrance(view: ProxyView, request: TraceRequest) -> Listener | None:
    """The listener that a client connects to, whatever it hands the connection to."""
    hbone = isinstance(request.way, Destination) and request.way.hbone
    return view.hbone_listener() if hbone else listener_of(view, request)


def connected(
    view: ProxyView, request: TraceRequest, listener: Listener, steps: list[Step]
) -> Connected | Closed:
    """What a listener does with a connection.  Adds to `steps`."""
    if listener.sni:
        named = chain_by_name(view, request, listener, steps)
        if isinstance(named, Closed):
            return named
        return Connected(
            named.handling,
            False,
            ended=named.tls is not None,
            settings=named.settings,
        )
    found = listener.default
    settings = listener.settings
    way = request.way
    if isinstance(way, Destination) and listener.chains:
        chosen, others = _chain(listener, way)
        chain = view.chain(chosen.chain) if chosen else None
        if chosen is not None and chain is None:
            return Closed("no_chain", f"filter chain {chosen.chain} is not there")
        if chosen is not None and chain is not None:
            steps.append(_chain_step(chosen, others, chain.origin))
            found, settings = chain.handling, chain.settings
    if found is None:
        return Closed("no_chain", f"nothing in listener {listener.name} takes this destination")
    known = listener.proxy_protocol or listener.tunnelled
    return Connected(found, known, settings=settings)


def inspected(
    view: ProxyView, request: TraceRequest, found: Connected, steps: list[Step]
) -> Connected:
    """The same, or what its first bytes make of it where the port does not say what it speaks.

    Adds to `steps`.
    """
    to = found.handling
    name = to.clusters[0].cluster if isinstance(to, TcpForward) and to.relayed else None
    inside = view.internal_listener(name) if name else None
    if inside is None or inside.default is None or inside.server_names:
        return found
    http = request.scheme == "http" and inside.requests is not None
    why = "the port does not say what it speaks, and the connection's first bytes do"
    steps.append(Step("protocol", "HTTP" if http else "not HTTP", why, inside.origin))
    chosen = inside.requests if http and inside.requests else inside.default
    return Connected(chosen, found.identified, settings=inside.settings)


def _chain(listener: Listener, way: Destination) -> tuple[ChainMatch | None, list[ChainMatch]]:
    """The chain of the longest range that has the address, among those of the port."""
    of_port = [each for each in listener.chains if each.port == way.port]
    if not is_ip(way.address):
        named = [each for each in of_port if each.by_name and each.cidr == way.address]
        return (named[0] if named else None), []
    address = ip_address(way.address)
    of_port = [each for each in of_port if not each.by_name]
    of_port += [each for each in listener.chains if not each.port]
    found = [(network, each) for each in of_port if address in (network := ip_network(each.cidr))]
    found.sort(key=lambda each: (not each[1].port, -each[0].prefixlen))
    matches = [each for _, each in found]
    return (matches[0] if matches else None), matches[1:]


def _chain_step(chosen: ChainMatch, others: list[ChainMatch], origin: Origin) -> Step:
    return Step(
        what="chain",
        found=chosen.chain,
        why=f"{chosen.cidr} {_port(chosen)} has the destination",
        origin=origin,
        others=tuple(Other(each.chain, f"{each.cidr} is a wider range") for each in others),
    )


def _port(match: ChainMatch) -> str:
    return f"port {match.port}" if match.port else "at any port"


def route_configuration(
    view: ProxyView, request: TraceRequest, handling: Handling, steps: list[Step]
) -> RouteConfiguration | Answered:
    """The route configuration of an HTTP connection.  Adds to `steps`."""
    if isinstance(handling, TcpForward | Connects):
        return Answered(400, "not_http", "the connection is not HTTP")
    name = handling.name if isinstance(handling, NamedRoutes) else _scoped(view, request, steps)
    if isinstance(name, Answered):
        return name
    found = view.routes(name)
    if found is not None and found.parts:
        name = found.parts[part_of(request.authority)]
        steps.append(Step("part", name, f"{found.name} is divided by hosts", found.origin))
        found = view.routes(name)
    if found is None:
        return Answered(404, "no_routes", f"route configuration {name} is not there")
    return found


def _scoped(view: ProxyView, request: TraceRequest, steps: list[Step]) -> str | Answered:
    """The route configuration of the scope whose key is exactly the destination."""
    way = request.way
    address, port = (way.address, way.port) if isinstance(way, Destination) else ("", 0)
    shown = with_port(address, port)
    scope = view.scope(address, port)
    if scope is None:
        return Answered(404, "no_scope", f"no captured service has {shown}")
    steps.append(Step("scope", shown, f"routes {scope.routes}", scope.origin))
    return scope.routes
