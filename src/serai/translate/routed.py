"""Everything that is routed by what requests ask for."""

from __future__ import annotations

import msgspec

from serai.incremental import Graph, Node, Union
from serai.ir.route import RouteConfiguration
from serai.translate.collections import Attached, Named
from serai.translate.division import Division, division
from serai.translate.gateway import gateway_routes
from serai.translate.gateway_hosts import GatewayHosts, gateway_hosts
from serai.translate.waypoint import frontend_routes
from serai.translate.workloads import Workloads


class Routed(msgspec.Struct, frozen=True):
    """The route configurations of all proxies."""

    every: Node[Named, RouteConfiguration]
    of_captured: Node[Named, RouteConfiguration]
    """Of one captured port each: small, and made as a whole."""
    of_gateways: Node[Named, RouteConfiguration]
    """Put together from `hosts`, of which there may be thousands."""
    hosts: GatewayHosts
    divided: Division
    """Which route configurations each table of a gateway is."""
    parts: Node[Named, RouteConfiguration]
    """For whoever looks through all routes: those of gateways host by host."""


def routed(graph: Graph, attached: Attached, own: Workloads) -> Routed:
    """What is routed at captured ports and workloads, and at gateways."""
    captured = Union(
        graph, "routes of what is captured", (frontend_routes(graph, attached), own.routes)
    )
    hosts = gateway_hosts(graph, attached)
    divided = division(graph, attached, hosts)
    of_gateways = gateway_routes(graph, attached, hosts, divided)
    return Routed(
        Union(graph, "routes", (captured, of_gateways)),
        captured,
        of_gateways,
        hosts,
        divided,
        Union(graph, "parts of routes", (captured, hosts.parts)),
    )
