"""The port of a redirect, which depends on the port that was asked.

Gateway API: HTTPRequestRedirectFilter.port.  The port is that of the filter, else that of its
scheme, else the listener's; a port that the scheme implies is left out where it can be.
"""

from __future__ import annotations

from msgspec.structs import replace

from serai.ir.route import Forward, Redirect, Route, VirtualHost

_PORTS = {"http": 80, "https": 443}


def at_port(
    hosts: tuple[VirtualHost, ...], port: int, scheme: str = "http"
) -> tuple[VirtualHost, ...]:
    """Virtual hosts with complete redirects, for requests that reached a port in a scheme."""
    return tuple(_host(each, port, scheme) for each in hosts)


def _host(host: VirtualHost, port: int, scheme: str) -> VirtualHost:
    routes = tuple(_route(route, port, scheme) for route in host.routes)
    return host if routes == host.routes else replace(host, routes=routes)


def _route(route: Route, port: int, scheme: str) -> Route:
    match route.action:
        case Redirect() as redirect:
            return replace(route, action=_at(redirect, port, scheme))
        case Forward(clusters=clusters) as forward if any(each.redirect for each in clusters):
            told = tuple(
                replace(each, redirect=_at(each.redirect, port, scheme)) if each.redirect else each
                for each in clusters
            )
            return replace(route, action=replace(forward, clusters=told))
        case _:
            return route


def _at(redirect: Redirect, port: int, scheme: str) -> Redirect:
    return replace(redirect, port=_port(redirect, port, scheme))


def _port(redirect: Redirect, asked: int, scheme: str) -> int | None:
    implied = _PORTS[redirect.scheme or scheme]
    wanted = redirect.port or (implied if redirect.scheme else asked)
    if wanted != implied:
        return wanted
    # Envoy keeps the port of the request's Host unless told another; where that is no port of
    # its own either, there is nothing to tell.
    keeps_host = redirect.host is None
    return wanted if keeps_host and asked != _PORTS[scheme] else None
