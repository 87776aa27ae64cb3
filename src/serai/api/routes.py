"""The kinds of routes, where they are alike."""

from __future__ import annotations

from serai.api.grpcroute import GRPCRoute
from serai.api.httproute import HTTPRoute
from serai.api.streamroutes import TCPRoute, TLSRoute, UDPRoute

Route = HTTPRoute | GRPCRoute | TLSRoute | TCPRoute | UDPRoute

ROUTE_KINDS = ("GRPCRoute", "HTTPRoute", "TLSRoute", "TCPRoute", "UDPRoute")
"""In the order of who comes first at one port of a service.  Gateway API: GEP-1426."""

REQUESTS = frozenset({"HTTPRoute", "GRPCRoute"})
"""The kinds that look at each request; the others take a connection as a whole."""


def hostnames_of(route: Route) -> tuple[str, ...]:
    """The hosts that a route is for, in small letters; of TCP and UDP there are none."""
    if isinstance(route, TCPRoute | UDPRoute):
        return ()
    return tuple(hostname.lower() for hostname in route.spec.hostnames)
