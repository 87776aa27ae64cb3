"""The whole program's data flow, on one page."""

from __future__ import annotations

import msgspec

from serai.api.meta import Key, Object
from serai.api.problem import Problem
from serai.attach.capture import captures
from serai.attach.certificates import Certificates
from serai.attach.contention import settled
from serai.attach.detours import detours
from serai.attach.frontends import BindingKey, bindings, frontends, ranges
from serai.attach.gateways import Proxy, proxies
from serai.attach.grants import Grants
from serai.attach.listeners import Listening, listening
from serai.attach.parameters import Tables
from serai.attach.routes import Attachment, AttachmentKey, Parents, attachments
from serai.attach.targets import Targets, targets
from serai.attach.workload_capture import workload_captures
from serai.backends import Lookup
from serai.check.backends import backend_problems
from serai.check.capture import binding_problems, capture_problems, uncaptured_workloads
from serai.check.cluster_policies import cluster_policy_problems, unmet_problems
from serai.check.destination_rules import rule_problems
from serai.check.distribution import distribution_problems
from serai.check.endpoints import inline_problems, workload_problems
from serai.check.extensions import extension_problems
from serai.check.gateways import gateway_problems
from serai.check.hosts import host_problems
from serai.check.listener_policies import listener_policy_problems
from serai.check.policies import policy_problems
from serai.check.problems import ProblemKey
from serai.check.rate_limits import limit_problems
from serai.check.refusals import refusal_problems
from serai.check.routes import route_problems
from serai.check.tokens import token_problems, unguarded_problems
from serai.check.vips import vip_problems
from serai.incremental import Graph, Node, Table, Union
from serai.ir.listener import ChainMatch, FilterChain, Listener
from serai.ir.route import RouteConfiguration
from serai.model.catalog import Catalog, catalog
from serai.model.inputs import Inputs
from serai.model.key_pairs import key_pairs
from serai.model.rate_limits import Limits, limits
from serai.model.settings import Settings
from serai.policies.kinds import POLICY_KINDS
from serai.status.authorization import authorization_statuses
from serai.status.backend import backend_statuses
from serai.status.classes import class_statuses, mesh_statuses
from serai.status.cluster_policy import cluster_policy_statuses, rule_statuses
from serai.status.direct_response import direct_response_statuses
from serai.status.extension import extension_statuses
from serai.status.gateway import Statuses, gateway_statuses, listener_set_statuses
from serai.status.listener_policy import listener_policy_statuses
from serai.status.policy import policy_statuses
from serai.status.route import route_statuses
from serai.status.service import service_statuses, workload_statuses
from serai.status.values import Status
from serai.status.xbackend import xbackend_statuses
from serai.translate.applied import Applied, applied
from serai.translate.chains import chain_matches, frontend_chains
from serai.translate.cluster_policies import cluster_policies
from serai.translate.clusters import Clusters, demand, uses
from serai.translate.collections import Attached, Named
from serai.translate.compiled import AttachmentIndexes, cluster_names, compiled_routes
from serai.translate.destination_rules import destination_rules
from serai.translate.detours import detour_listeners, tunnel_clusters
from serai.translate.extensions import Extensions, extensions
from serai.translate.gateway import gateway_listeners, gateway_routes
from serai.translate.gateway_tls import gateway_chains, https_routes
from serai.translate.inbound import loopback_listeners, waypoint_listeners
from serai.translate.internal import internal_clusters
from serai.translate.listener_policies import ListenerPolicies, listener_policies
from serai.translate.look_up import look_up_listeners
from serai.translate.material import CertificateSources
from serai.translate.own_services import own_services
from serai.translate.policies import Looks, compiled_policies, labelled, on_kinds
from serai.translate.secrets import secrets
from serai.translate.sending import sending
from serai.translate.sights import sights, viewpoints_of
from serai.translate.sni import sni_listeners
from serai.translate.subsets import parts_of, subset_backends
from serai.translate.tokens import fetches, token_filters
from serai.translate.udp import udp_listeners
from serai.translate.undeclared import inspected, undeclared_listeners
from serai.translate.waypoint import (
    frontend_routes,
    scopes,
)
from serai.translate.workloads import Workloads, workloads
from serai.xds.refusals import Refusal, Refusals
from serai.xds.resource import Resource
from serai.xds.snapshot import SnapshotKey, Translated, snapshot

NO_PARAMETERS: Tables = {}
"""Kinds that parametersRef may name: none is read yet."""


class Pipeline(msgspec.Struct, frozen=True):
    """Everything between what users write and what Envoys get."""

    graph: Graph
    settings: Settings
    inputs: Inputs
    refusals: Table[SnapshotKey, Refusal]
    attached: Attached
    translated: Translated
    snapshot: Node[SnapshotKey, Resource]
    rate_limits: Node[Key, Limits]
    """What ConfigMaps have for our own rate limit service."""
    statuses: Node[Key, Status]
    problems: Node[ProblemKey, Problem]


def pipeline(settings: Settings) -> Pipeline:
    """Every collection of the control plane, in the order in which data flows."""
    graph = Graph()
    inputs = Inputs(graph)
    refusals: Table[SnapshotKey, Refusal] = Table(graph, "refusals")
    attached = _attach(graph, inputs, settings)
    translated = _translate(graph, inputs, attached)
    limited = limits(graph, inputs.config_maps)
    return Pipeline(
        graph=graph,
        settings=settings,
        inputs=inputs,
        refusals=refusals,
        attached=attached,
        translated=translated,
        snapshot=snapshot(graph, translated, settings),
        rate_limits=limited,
        statuses=_statuses(graph, inputs, attached, translated.applied, Refusals(graph, refusals)),
        problems=Union(
            graph,
            "problems",
            (
                _problems(graph, inputs, attached, translated.applied, refusals),
                limit_problems(graph, limited, attached.policies.compiled),
                unguarded_problems(graph, translated.routes),
            ),
        ),
    )


def _attach(graph: Graph, inputs: Inputs, settings: Settings) -> Attached:
    """Who applies to what."""
    known = catalog(graph, inputs, settings)
    ours = proxies(graph, inputs.gateways, inputs.gateway_classes, settings)
    taken = captures(graph, known.services, inputs.namespaces, ours)
    grants = Grants(graph, inputs.grants)
    heard, certificates = _listening(graph, inputs, ours, grants)
    above = Parents(known, inputs.namespaces, ours, heard, taken, grants)
    joined, by_parent = _joined(graph, inputs, above)
    rules = destination_rules(graph, inputs, settings)
    subsets = subset_backends(graph, known, rules)
    aimed = _targets(graph, inputs, known, settings)
    looks = _looks(graph, inputs, Lookup(known, grants, subsets), settings)
    asked = _asked(graph, inputs, aimed, looks, ours)
    return Attached(
        settings=settings,
        catalog=known,
        proxies=ours,
        addresses=inputs.gateway_addresses,
        unusable=inputs.unusable_addresses,
        listening=heard,
        certificates=certificates,
        captures=taken,
        detours=(around := detours(graph, known, taken, ours)),
        frontends=(fronts := frontends(graph, taken, known.services, ours, settings)),
        bindings=(bound := bindings(graph, fronts, known)),
        ranges=ranges(graph, bound),
        workloads=workload_captures(graph, known.workloads, inputs.namespaces, ours),
        attachments=joined,
        cluster_policies=(sent := cluster_policies(graph, aimed, inputs.by_kind)),
        sending=(how := sending(graph, known, sent, rules, settings)),
        compiled=compiled_routes(graph, joined, inputs.routes, looks, asked, around, how),
        by_parent=by_parent,
        looks=looks,
        extensions=asked,
        listener_policies=_of_listeners(graph, inputs, aimed, looks),
        rules=rules,
        material=CertificateSources(inputs.secrets, inputs.config_maps, grants),
    )


def _of_listeners(graph: Graph, inputs: Inputs, aimed: Targets, looks: Looks) -> ListenerPolicies:
    """What policies ask of listeners."""
    return listener_policies(graph, inputs.by_kind, inputs.unread, aimed, looks)


def _asked(
    graph: Graph, inputs: Inputs, aimed: Targets, looks: Looks, ours: Node[Key, Proxy]
) -> Extensions:
    """What policies ask of requests, and what filters of routes name."""
    kinds = on_kinds(POLICY_KINDS, inputs.by_kind)
    policies = compiled_policies(graph, kinds, inputs.unread, aimed, looks, ours)
    return extensions(graph, policies, inputs.table("DirectResponse"), inputs.routes)


def _joined(
    graph: Graph, inputs: Inputs, parents: Parents
) -> tuple[Node[AttachmentKey, Attachment], AttachmentIndexes]:
    """Which routes are attached, of one kind on each port, and by what they are found."""
    wanted = attachments(graph, inputs.routes, parents)
    joined = settled(graph, wanted, inputs.routes, parents.catalog.services)
    return joined, AttachmentIndexes(graph, joined)


def _listening(
    graph: Graph, inputs: Inputs, ours: Node[Key, Proxy], grants: Grants
) -> tuple[Listening, Certificates]:
    """The listeners of Gateways and ListenerSets, what they show, and whom they trust."""
    pairs = key_pairs(graph, inputs.secrets, inputs.untimely)
    certificates = Certificates(pairs, inputs.secrets, inputs.config_maps, grants)
    sets, namespaces = inputs.listener_sets, inputs.namespaces
    return listening(graph, ours, sets, namespaces, certificates), certificates


def _targets(graph: Graph, inputs: Inputs, known: Catalog, settings: Settings) -> Targets:
    """What policies can apply to."""
    tables: dict[str, Node[Key, Object]] = {
        "Gateway": inputs.gateways,
        "ListenerSet": inputs.listener_sets,
        "HTTPRoute": inputs.http_routes,
        "GRPCRoute": inputs.grpc_routes,
    }
    return targets(graph, known, tables, inputs.gateway_classes, settings)


def _looks(graph: Graph, inputs: Inputs, lookup: Lookup, settings: Settings) -> Looks:
    """Where policies look things up."""
    return Looks(
        lookup=lookup,
        parts=parts_of(graph, lookup.subsets),
        clusters=cluster_names(graph, lookup.catalog, lookup.subsets, settings),
        grants=lookup.grants,
        secrets=inputs.secrets,
        issuers=inputs.issuers,
        labelled=labelled(graph, inputs.secrets),
        config_maps=inputs.config_maps,
        extensions=inputs.table("GatewayExtension"),
        settings=settings,
    )


def _translate(graph: Graph, inputs: Inputs, attached: Attached) -> Translated:
    """What each proxy should do."""
    own = workloads(graph, attached)
    routes = _routes(graph, attached, own)
    matches = chain_matches(graph, attached)
    inside = _inside(graph, attached, matches, own)
    edges = gateway_listeners(graph, attached), udp_listeners(graph, attached)
    direct = loopback_listeners(graph, attached)
    heard = Union(graph, "listeners of proxies", (inside, direct, *edges))
    chains = _chains(graph, attached, matches, own)
    asked = uses(graph, {"routes": routes, "chains": chains, "listeners": heard})
    wanted = demand(graph, "demand from outside", asked)
    around = detour_listeners(graph, attached, wanted)
    inner = Union(graph, "demanded listeners", (look_up_listeners(graph, attached, wanted), around))
    sent = Union(graph, "uses of clusters", (asked, uses(graph, {"inner listeners": inner})))
    demanded = demand(graph, "demand for clusters", sent)
    leading = internal_clusters(graph, Union(graph, "inner listeners", (inside, inner)))
    called = own_services(graph, attached.settings)
    ends = Union(graph, "ends", (leading, called, own.clusters, *tunnel_clusters(graph, attached)))
    clusters = Clusters(graph, attached, demanded, ends)
    verified = token_filters(graph, routes, attached.proxies, inputs)
    viewpoints = viewpoints_of(graph, inputs.viewpoints)
    return Translated(
        listeners=Union(graph, "all listeners", (heard, inner)),
        chains=chains,
        scopes=scopes(graph, attached),
        routes=routes,
        demand=demanded,
        chosen=clusters.chosen,
        clusters=clusters.clusters,
        endpoints=clusters.endpoints,
        users=clusters.by_name,
        viewpoints=viewpoints,
        sights=sights(graph, clusters.clusters, clusters.used, viewpoints),
        applied=applied(graph, clusters.clusters, clusters.used),
        secrets=secrets(graph, attached, around, clusters.mutual, routes),
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


def _routes(graph: Graph, attached: Attached, own: Workloads) -> Node[Named, RouteConfiguration]:
    """Everything that is routed by what requests ask for."""
    parts = (
        frontend_routes(graph, attached),
        gateway_routes(graph, attached),
        https_routes(graph, attached),
        own.routes,
    )
    return Union(graph, "routes", parts)


def _statuses(
    graph: Graph, inputs: Inputs, attached: Attached, done: Applied, refusals: Refusals
) -> Node[Key, Status]:
    """What is said back on each object."""
    of_gateways = Statuses(attached, refusals, NO_PARAMETERS)
    parts: tuple[Node[Key, Status], ...] = (
        class_statuses(graph, inputs.gateway_classes, NO_PARAMETERS),
        mesh_statuses(graph, inputs.meshes, NO_PARAMETERS),
        gateway_statuses(graph, inputs.gateways, of_gateways),
        listener_set_statuses(graph, inputs.listener_sets, of_gateways),
        route_statuses(graph, inputs.routes, attached, refusals),
        service_statuses(graph, attached.captures, attached.catalog.services, inputs.vips),
        workload_statuses(graph, attached.workloads.captures, attached.catalog.workloads),
        policy_statuses(graph, attached.policies.compiled, attached),
        cluster_policy_statuses(graph, attached, done),
        rule_statuses(graph, attached, done),
        backend_statuses(graph, inputs.backends),
        xbackend_statuses(graph, inputs.table("XBackend"), done),
        extension_statuses(graph, inputs.table("GatewayExtension"), attached.looks),
        listener_policy_statuses(graph, attached, refusals),
        direct_response_statuses(graph, inputs.table("DirectResponse"), attached),
        authorization_statuses(graph, attached),
    )
    return Union(graph, "statuses", parts)


def _problems(
    graph: Graph,
    inputs: Inputs,
    attached: Attached,
    done: Applied,
    refusals: Table[SnapshotKey, Refusal],
) -> Node[ProblemKey, Problem]:
    """What a person must know."""
    return Union(
        graph,
        "problems of objects",
        (
            capture_problems(graph, attached),
            uncaptured_workloads(graph, attached),
            binding_problems(graph, attached),
            host_problems(graph, attached),
            inline_problems(graph, inputs.service_entries, attached.settings),
            workload_problems(graph, inputs.workload_entries),
            distribution_problems(graph, inputs),
            gateway_problems(graph, inputs.gateways, inputs.listener_sets, attached),
            vip_problems(graph, inputs.vips),
            route_problems(graph, inputs.routes, attached),
            policy_problems(graph, attached.policies.compiled),
            token_problems(graph, attached, inputs.key_sets),
            listener_policy_problems(graph, attached),
            cluster_policy_problems(graph, attached, done),
            rule_problems(graph, attached, done),
            extension_problems(graph, inputs.table("GatewayExtension"), attached.looks),
            unmet_problems(graph, "DestinationRule", inputs.destination_rules, done),
            unmet_problems(graph, "XBackend", inputs.table("XBackend"), done),
            backend_problems(graph, inputs.backends),
            refusal_problems(graph, refusals),
        ),
    )
