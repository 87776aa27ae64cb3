"""From a URL to the proxy that its requests go to, as a client of the mesh would find it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from urllib.parse import urlsplit

from serai.api.meta import Key
from serai.attach.gateways import Proxy, Role
from serai.attach.hostnames import covers, specificity
from serai.ir.origin import Value
from serai.model.addresses import canonical, is_loopback, is_range
from serai.model.hosts import patterns, ranked
from serai.model.service import BackendKey, Service
from serai.model.spiffe import spiffe_id
from serai.trace.arrival import owner
from serai.trace.request import Destination, GatewayPort, TraceRequest, Way
from serai.trace.view import View

PORTS = {"http": 80, "https": 443}
_SCHEMES = frozenset({"http", "https", "tcp", "udp"})
DIRECTLY = "loopback"
"""The way in of a client that connects to a VIP on loopback itself, without ztunnel."""


class Unresolved(Value, frozen=True):
    """Why a URL leads to no proxy of ours."""

    reason: str
    """BadURL, BadGateway, UnknownHost, NotCaptured, NoAddress, NoSuchPort or NoListener."""
    message: str
    remedy: str = ""


class _Url(Value, frozen=True):
    scheme: str
    host: str
    port: int
    authority: str
    path: str


def resolve(
    view: View,
    url: str,
    *,
    method: str = "GET",
    headers: tuple[tuple[str, str], ...] = (),
    as_: str = "",
    via: str = "",
    hbone: bool = False,
) -> TraceRequest | Unresolved:
    """The request that a URL means, and its way in.

    `as_` is the caller: a SPIFFE identity, or ``namespace/serviceaccount``.  `via` names a
    gateway, ``namespace/name``, or is ``loopback`` for a VIP that is connected to directly;
    without it the waypoint that captured the host is taken, else a gateway with such a listener.
    With `hbone` a waypoint is entered by a tunnel.
    """
    parsed = _parse(url)
    if isinstance(parsed, Unresolved):
        return parsed
    principal = _principal(as_, view.attached.settings.trust_domain)
    way = _way(view, parsed, principal, via, hbone=hbone)
    if isinstance(way, Unresolved):
        return way
    if hbone and isinstance(way, Destination):
        if not view.proxy(way.proxy).hbone_listener():
            return _no_hbone(way)
        way = Destination(way.proxy, way.address, way.port, hbone=True)
        # A certificate is somebody's; who says nothing is the default account of that namespace.
        principal = principal or _principal("default", view.attached.settings.trust_domain)
    return TraceRequest(
        way,
        next((value for name, value in headers if name.lower() == "host"), parsed.authority),
        parsed.path,
        method,
        parsed.scheme,
        headers=tuple(pair for pair in headers if pair[0].lower() != "host"),
        principal=principal,
        server_name=_named(parsed, way),
    )


def _named(url: _Url, way: Way) -> str | None:
    """What the ClientHello names at a gateway: the URL's host, unless that is an address."""
    if isinstance(way, Destination):
        return None
    return "" if canonical(url.host) else url.host


_FORMS = "Write http://host:port/path, https:// for TLS, tcp:// or udp:// for other bytes."


def _parse(url: str) -> _Url | Unresolved:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        return Unresolved("BadURL", f"{url!r} is not a URL: {error}", _FORMS)
    scheme = parts.scheme.lower()
    if not host or scheme not in _SCHEMES:
        return Unresolved("BadURL", f"{url!r} is not a URL that can be followed", _FORMS)
    number = port or PORTS.get(scheme, 0)
    if not number:
        return Unresolved("BadURL", f"{url} has no port", "Write tcp://host:port.")
    authority = parts.netloc.rpartition("@")[2]
    target = url.partition("://")[2] if "://" in url else url
    start = min((at for mark in "/?" if (at := target.find(mark)) >= 0), default=len(target))
    path = target[start:].partition("#")[0]
    return _Url(scheme, host, number, authority, path if path.startswith("/") else f"/{path}")


def _principal(as_: str, trust_domain: str) -> str | None:
    if not as_ or "://" in as_:
        return as_ or None
    namespace, _, account = as_.partition("/")
    return spiffe_id(trust_domain, f"{namespace}/{account or 'default'}")


def _way(
    view: View, url: _Url, principal: str | None, via: str, *, hbone: bool
) -> Way | Unresolved:
    if via and via != DIRECTLY:
        return _through(view, url, via)
    if url.scheme == "udp" and canonical(url.host) is None:
        return _any_gateway(view, url) or _unknown(url)
    address = canonical(url.host)
    if address is not None:
        return _to_address(view, url, address, direct=via == DIRECTLY)
    services = _services(view, url.host, _namespace_of(principal))
    if not services:
        return _any_gateway(view, url) or _unknown(url)
    ways = [_to_service(view, url, each, direct=via == DIRECTLY) for each in services]
    if hbone:
        ways = [_by_name(view, url, each) or way for each, way in zip(services, ways, strict=True)]
    return next((way for way in ways if not isinstance(way, Unresolved)), ways[0])


def _services(view: View, host: str, namespace: str) -> list[Service]:
    """The services that have a host, by its name or by the longest wildcard, the owner first."""
    catalog = view.attached.catalog
    for pattern in patterns(host):
        keys = catalog.services_by_host.row(pattern) or ()
        found = [service for key in keys if (service := catalog.services.row(key))]
        if found:
            return ranked(found, namespace)
    return []


def _to_service(view: View, url: _Url, service: Service, *, direct: bool) -> Way | Unresolved:
    capture = view.attached.captures.row(service.key)
    waypoint = capture.bound_to if capture else None
    if waypoint is None:
        why = capture.verdict.message if capture else "nothing is known of it"
        return Unresolved(
            "NotCaptured",
            f"{service.key} has {url.host}, but no waypoint captures it: {why}",
            "Label it, or its Namespace, with istio.io/use-waypoint.",
        )
    if service.port(url.port) is None:
        ports = ", ".join(f"{each.number}/{each.protocol}" for each in service.ports) or "none"
        return Unresolved(
            "NoSuchPort",
            f"{service.key} has no port {url.port}; it has: {ports}",
            "Write one of them after the host.",
        )
    return _vip(view, url, service, waypoint, direct=direct)


def _vip(
    view: View, url: _Url, service: Service, waypoint: Key, *, direct: bool
) -> Way | Unresolved:
    named = (pattern for pattern in patterns(url.host) if pattern in service.hosts)
    host = next(named, service.hosts[0])
    vips = [each.cidr for each in service.addresses if each.host in {"", host}]
    usable = [vip for vip in vips if not direct or is_loopback(vip)]
    ways = [
        Destination(waypoint, _first(vip), url.port, not direct)
        for vip in sorted(usable, key=is_range)
    ]
    owned = (way for way in ways if _owns(view, service, way))
    chosen = None if direct else _endpoint(view, service, BackendKey(service.key, host, url.port))
    found = next(owned, None) or next(iter(ways), chosen)
    if found is None:
        what = "no VIP on loopback" if direct and vips else "no address"
        return Unresolved(
            "NoAddress",
            f"{service.key} is captured, but has {what}, so that no client can reach it there",
            "Give it one: clusterIP of a Service, spec.addresses of a ServiceEntry; or have one"
            " allocated, from loopback where it is to be reached there (--vip-range-v4).",
        )
    return found


def _endpoint(view: View, service: Service, key: BackendKey) -> Destination | None:
    """One of the endpoints, where clients resolve a host to them and a waypoint has them."""
    capture = view.attached.captures.row(service.key)
    for each in view.attached.catalog.endpoints.row(key) or ():
        own = capture is not None and each.through is None and not each.cluster
        for waypoint in capture.waypoints if capture and own else ():
            way = Destination(waypoint, each.address, each.port)
            if _owns(view, service, way):
                return way
    return None


def _by_name(view: View, url: _Url, service: Service) -> Destination | None:
    """By the host's own name, in a tunnel: of what has no address."""
    capture = view.attached.captures.row(service.key)
    waypoint = capture.bound_to if capture else None
    if waypoint is None or service.addresses:
        return None
    way = Destination(waypoint, url.host, url.port, hbone=True)
    return way if _owns(view, service, way) else None


def _owns(view: View, service: Service, way: Destination) -> bool:
    binding = owner(view.proxy(way.proxy), way)
    return binding is not None and binding.frontend.service == service.key


def _first(cidr: str) -> str:
    return str(ip_network(cidr).network_address)


def _to_address(view: View, url: _Url, address: str, *, direct: bool) -> Way | Unresolved:
    """By an address: a gateway that listens there, else the waypoint that captured it."""
    for key, proxy in _proxies(view, Role.GATEWAY):
        if address in (view.attached.addresses.row(key) or ()) and _hears(view, key, url):
            return GatewayPort(proxy.key, url.port)
    for key, _ in _proxies(view, Role.WAYPOINT):
        way = Destination(key, address, url.port, not direct)
        there = view.proxy(key)
        if owner(there, way) is not None or (not direct and there.workload(address)):
            return way
    return _any_gateway(view, url) or Unresolved(
        "UnknownHost",
        f"no gateway listens on {address} port {url.port}, and no waypoint has captured it",
        "See which addresses and ports there are: serai get services, serai get gateways.",
    )


def _through(view: View, url: _Url, via: str) -> Way | Unresolved:
    namespace, _, name = via.rpartition("/")
    key = Key("Gateway", namespace or "default", name)
    proxy = view.attached.proxies.row(key)
    if proxy is None:
        known = ", ".join(sorted(each.name for _, each in view.attached.proxies.items())) or "none"
        return Unresolved("BadGateway", f"{via} is not a Gateway of ours; there are: {known}")
    if proxy.role is Role.WAYPOINT:
        return _through_waypoint(view, url, key)
    if _hears(view, key, url):
        return GatewayPort(key, url.port)
    ports = ", ".join(str(each.port) for each in proxy.listeners) or "none"
    words = f"Gateway {via} has no usable listener on port {url.port}; it has: {ports}"
    first = next((f"{url.scheme}://{url.host}:{each.port}" for each in proxy.listeners), "")
    return Unresolved("NoListener", words, first and f"Write a port that it has: {first}{url.path}")


def _through_waypoint(view: View, url: _Url, key: Key) -> Way | Unresolved:
    address = canonical(url.host)
    if address is not None:
        return Destination(key, address, url.port)
    for service in _services(view, url.host, ""):
        way = _to_service(view, url, service, direct=False)
        if not isinstance(way, Unresolved) and way.proxy == key:
            return way
    message = f"waypoint {key.namespaced_name} has not captured {url.host}"
    return Unresolved("NotCaptured", message, "Leave out the gateway to see who has.")


def _any_gateway(view: View, url: _Url) -> GatewayPort | None:
    """A gateway with a listener of the port; the one whose host name fits best comes first."""
    found = [
        (specificity(state.hostname), key)
        for key, _ in _proxies(view, Role.GATEWAY)
        for state in view.listeners(key)
        if state.listener.port == url.port
        and covers(state.hostname, url.host)
        and _hears(view, key, url)
    ]
    best = max((rank for rank, _ in found), default=None)
    return next((GatewayPort(key, url.port) for rank, key in found if rank == best), None)


def _hears(view: View, key: Key, url: _Url) -> bool:
    proxy = view.proxy(key)
    udp = url.scheme == "udp"
    heard = proxy.udp_listener(url.port) if udp else proxy.gateway_listener(url.port)
    return heard is not None


def _proxies(view: View, role: Role) -> Iterator[tuple[Key, Proxy]]:
    return iter(sorted(each for each in view.attached.proxies.items() if each[1].role is role))


def _namespace_of(principal: str | None) -> str:
    _, _, rest = (principal or "").partition("/ns/")
    return rest.partition("/")[0]


def _unknown(url: _Url) -> Unresolved:
    return Unresolved(
        "UnknownHost",
        f"no Service or ServiceEntry has host {url.host}, and no gateway listens on {url.port}",
        "Check the spelling, or name the gateway.",
    )


def _no_hbone(way: Destination) -> Unresolved:
    return Unresolved(
        "NoListener",
        f"waypoint {way.proxy.namespaced_name} does not take HBONE",
        "Give it a listener of protocol HBONE, port 15008, or leave out --hbone.",
    )
