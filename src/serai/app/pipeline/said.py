"""What is said back: the collections of the packages status and check."""

from __future__ import annotations

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.app.pipeline.attach import parameter_tables
from serai.check.backends import backend_problems
from serai.check.capture import binding_problems, capture_problems, uncaptured_workloads
from serai.check.cluster_policies import cluster_policy_problems, unmet_problems
from serai.check.destination_rules import rule_problems
from serai.check.distribution import distribution_problems
from serai.check.endpoints import inline_problems, workload_problems
from serai.check.extensions import extension_problems
from serai.check.gateway_parameters import parameter_problems
from serai.check.gateways import gateway_problems
from serai.check.hosts import host_problems
from serai.check.listener_policies import listener_policy_problems
from serai.check.networks import network_problems
from serai.check.policies import policy_problems
from serai.check.problems import ProblemKey
from serai.check.refusals import refusal_problems
from serai.check.routes import route_problems
from serai.check.tokens import token_problems
from serai.check.vips import vip_problems
from serai.incremental import Graph, Node, Table, Union
from serai.model.inputs import Inputs
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
from serai.translate.applied import Applied
from serai.translate.collections import Attached
from serai.xds.refusals import Refusal, Refusals
from serai.xds.snapshot import SnapshotKey


def statuses(
    graph: Graph, inputs: Inputs, attached: Attached, done: Applied, refusals: Refusals
) -> Node[Key, Status]:
    """What is said back on each object."""
    of_gateways = Statuses(attached, refusals)
    named = parameter_tables(inputs)
    parts: tuple[Node[Key, Status], ...] = (
        class_statuses(graph, inputs.gateway_classes, inputs.bundles, named),
        mesh_statuses(graph, inputs.meshes, {}),
        gateway_statuses(graph, inputs.gateways, of_gateways),
        listener_set_statuses(graph, inputs.listener_sets, of_gateways),
        route_statuses(graph, inputs.routes, attached, refusals),
        service_statuses(
            graph,
            attached.captures,
            attached.catalog.services,
            inputs.vips,
            (inputs.services, inputs.service_entries),
        ),
        workload_statuses(graph, attached.workloads.captures, attached.catalog.workloads),
        policy_statuses(graph, attached.policies.compiled, attached, done),
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


def problems(
    graph: Graph,
    inputs: Inputs,
    attached: Attached,
    done: Applied,
    refusals: Table[SnapshotKey, Refusal],
) -> Node[ProblemKey, Problem]:
    """What a person must know."""
    known = attached.catalog.networks
    return Union(
        graph,
        "problems of objects",
        (
            capture_problems(graph, attached),
            uncaptured_workloads(graph, attached),
            binding_problems(graph, attached),
            host_problems(graph, attached),
            inline_problems(graph, inputs.service_entries, known, attached.settings),
            workload_problems(graph, inputs.workload_entries, known),
            network_problems(graph, inputs.other_backends, known, attached.settings),
            distribution_problems(graph, inputs),
            gateway_problems(graph, inputs.gateways, inputs.listener_sets, attached),
            parameter_problems(graph, inputs.table("GatewayParameters"), attached.settings),
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
