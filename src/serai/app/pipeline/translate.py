"""What each proxy should do: the collections of the package translate."""

from __future__ import annotations

from serai.attach.frontends import BindingKey
from serai.incremental import Graph, Node, Union
from serai.ir.listener import ChainMatch, FilterChain, Listener
from serai.ir.route import Scope
from serai.model.inputs import Inputs
from serai.translate.applied import applied
from serai.translate.chains import chain_matches, frontend_chains
from serai.translate.clusters import Clusters, demand, uses
from serai.translate.collections import Attached, Named
from serai.translate.detours import detour_listeners, tunnel_clusters
from serai.translate.division import gateway_scopes
from serai.translate.gateway import gateway_listeners
from serai.translate.gateway_tls import gateway_chains
from serai.translate.inbound import loopback_listeners, waypoint_listeners
from serai.translate.internal import internal_clusters
from serai.translate.look_up import look_up_listeners
from serai.translate.own_services import own_services
from serai.translate.routed import Routed, routed
from serai.translate.secrets import secrets
from serai.translate.sights import sights, viewpoints_of
from serai.translate.sni import sni_listeners
from serai.translate.tokens import fetches, token_filters
from serai.translate.udp import udp_listeners
from serai.translate.undeclared import inspected, undeclared_listeners
from serai.translate.waypoint import scopes
from serai.translate.workloads import Workloads, workloads
from serai.xds.snapshot import Translated


def translate(graph: Graph, inputs: Inputs, attached: Attached) -> Translated:
    """What each proxy should do."""
    own = workloads(graph, attached)
    routes = routed(graph, attached, own)
    matches = chain_matches(graph, attached)
    inside = _inside(graph, attached, matches, own)
    edges = gateway_listeners(graph, attached), udp_listeners(graph, attached)
    direct = loopback_listeners(graph, attached)
    heard = Union(graph, "listeners of proxies", (inside, direct, *edges))
    chains = _chains(graph, attached, matches, own)
    asked = uses(graph, {"routes": routes.parts, "chains": chains, "listeners": heard})
    wanted = demand(graph, "demand from outside", asked)
    around = detour_listeners(graph, attached, wanted)
    inner = Union(graph, "demanded listeners", (look_up_listeners(graph, attached, wanted), around))
    sent = Union(graph, "uses of clusters", (asked, uses(graph, {"inner listeners": inner})))
    demanded = demand(graph, "demand for clusters", sent)
    leading = internal_clusters(graph, Union(graph, "inner listeners", (inside, inner)))
    called = own_services(graph, attached.settings)
    ends = Union(graph, "ends", (leading, called, own.clusters, *tunnel_clusters(graph, attached)))
    clusters = Clusters(graph, attached, demanded, ends)
    verified = token_filters(graph, routes.parts, attached.proxies, inputs)
    viewpoints = viewpoints_of(graph, inputs.viewpoints)
    return Translated(
        listeners=Union(graph, "all listeners", (heard, inner)),
        chains=chains,
        scopes=_scopes(graph, attached, routes),
        routed=routes,
        demand=demanded,
        chosen=clusters.chosen,
        clusters=clusters.clusters,
        endpoints=clusters.endpoints,
        users=clusters.by_name,
        viewpoints=viewpoints,
        sights=sights(graph, clusters.clusters, clusters.used, viewpoints),
        applied=applied(graph, clusters.clusters, clusters.used),
        secrets=secrets(graph, attached, around, clusters.mutual, routes.parts),
        tokens=verified,
        fetches=fetches(graph, verified, clusters.chosen, clusters.clusters, clusters.endpoints),
    )


def _inside(
    graph: Graph, attached: Attached, matches: Node[BindingKey, ChainMatch], own: Workloads
) -> Node[Named, Listener]:
    """The listeners of waypoints that clients of the mesh reach, and those inside behind them."""
    parts = (
        sni_listeners(graph, attached),
        undeclared_listeners(graph, attached),
        own.listeners,
        waypoint_listeners(graph, attached, matches, own.matches),
    )
    return Union(graph, "listeners of the mesh", parts)


def _scopes(graph: Graph, attached: Attached, routes: Routed) -> Node[Named, Scope]:
    """What requests find their routes by: at waypoints, and at gateways."""
    own = scopes(graph, attached), gateway_scopes(graph, routes.divided)
    return Union(graph, "all scopes", own)


def _chains(
    graph: Graph, attached: Attached, matches: Node[BindingKey, ChainMatch], own: Workloads
) -> Node[Named, FilterChain]:
    """What is done with connections, where that is found chain by chain."""
    parts = (
        frontend_chains(graph, attached, matches, inspected),
        gateway_chains(graph, attached),
        own.chains,
    )
    return Union(graph, "chains", parts)
