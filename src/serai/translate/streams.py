"""What TLSRoutes, TCPRoutes and UDPRoutes make of what they attach to.

Of several routes the oldest has the traffic, for TLS host by host.

Gateway API: TCPRoute, TLSRoute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from serai.api.meta import Key
from serai.api.routes import REQUESTS
from serai.attach.frontends import Frontend
from serai.attach.hostnames import ANY, intersection
from serai.attach.listeners import ListenerState
from serai.attach.routes import AttachmentKey, ListenerTarget, ServiceTarget, takes
from serai.incremental import Reader
from serai.ir.listener import TcpForward
from serai.ir.origin import Origin, Value
from serai.translate.collections import Attached
from serai.translate.rules import CompiledRoute
from serai.translate.stream_rules import as_ruled


class Stream(Value, frozen=True):
    """Connections that reach a listener, and where their bytes go."""

    hostname: str
    """Which of them: those whose SNI is covered by this pattern; `*` where there is no SNI."""
    forward: TcpForward
    origin: Origin
    """The route that decides it."""


_Found = tuple[str, Key, CompiledRoute]


def streams(reader: Reader, attached: Attached, state: ListenerState) -> tuple[Stream, ...]:
    """The streams of a listener of protocol TLS, TCP or UDP, each hostname once.

    What none of them covers is closed.
    """
    found: list[_Found] = []
    for key, attachment in reader.rows(attached.on_listener, state.key, attached.attachments):
        for target in attachment.targets:
            if isinstance(target, ListenerTarget) and target.listener == state.key:
                compiled = reader.get(attached.compiled, key)
                names = target.hostnames if key.route.kind == "TLSRoute" else (ANY,)
                found += [(name, key.route, compiled) for name in names if compiled]
    return tuple(_oldest(reader, attached, state.gateway, found))


def on_frontend(reader: Reader, attached: Attached, frontend: Frontend) -> tuple[Stream, ...]:
    """What is not HTTP on a captured port, each hostname once; none: nobody asks.

    Where only TLS could tell hosts apart, a route of bytes is for the first.
    """
    found: list[_Found] = []
    service = frontend.key.service
    for key, attachment in reader.rows(attached.on_service, service, attached.attachments):
        for target in attachment.targets:
            if isinstance(target, ServiceTarget) and _is_for(key, target, frontend):
                compiled = reader.get(attached.compiled, key)
                wanted = (compiled.hostnames or (ANY,)) if compiled else ()
                host = target.host if key.route.kind == "TLSRoute" else ""
                shared = (intersection(host or ANY, each) for each in wanted)
                found += [(name, key.route, compiled) for name in shared if compiled and name]
    return tuple(_oldest(reader, attached, frontend.key.waypoint, found))


def _is_for(key: AttachmentKey, target: ServiceTarget, frontend: Frontend) -> bool:
    told = key.route.kind == "TLSRoute"
    hosts = {"", *(frontend.hosts if told else frontend.hosts[:1])}
    return (
        target.service == frontend.key.service
        and target.port in {0, frontend.key.port}
        and target.host in hosts
        and key.route.kind not in REQUESTS
        and takes(key.route.kind, frontend.port.protocol)
    )


def _oldest(
    reader: Reader, attached: Attached, proxy: Key, found: Iterable[_Found]
) -> Iterator[Stream]:
    def age(each: _Found) -> tuple[str, str, str, str]:
        hostname, route, compiled = each
        return (compiled.created or "9999", route.namespace, route.name, hostname)

    seen: set[str] = set()
    for hostname, route, compiled in sorted(found, key=age):
        if hostname not in seen:
            seen.add(hostname)
            forward = as_ruled(reader, attached, proxy, TcpForward(compiled.clusters))
            yield Stream(hostname, forward, Origin(route))
