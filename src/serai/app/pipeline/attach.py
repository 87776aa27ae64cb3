"""Who applies to what: the collections of the packages model, attach, backends and policies."""

from __future__ import annotations

from serai.api.gateway_parameters import GatewayParameters
from serai.api.kgateway import GROUP as KGATEWAY
from serai.api.meta import Key, Object
from serai.attach.capture import captures, namespace_wishes
from serai.attach.certificates import Certificates
from serai.attach.contention import settled
from serai.attach.deployment import Wish, deployment_wishes
from serai.attach.detours import detours
from serai.attach.frontends import bindings, frontends, ranges
from serai.attach.gateways import Proxy, proxies
from serai.attach.grants import Grants
from serai.attach.listeners import Listening, listening
from serai.attach.parameters import Tables
from serai.attach.routes import Attachment, AttachmentKey, Parents, attachments
from serai.attach.targets import Targets, targets
from serai.attach.workload_capture import workload_captures
from serai.backends import Lookup
from serai.incremental import Graph, Node
from serai.model.catalog import Catalog, catalog
from serai.model.inputs import Inputs
from serai.model.key_pairs import key_pairs
from serai.model.settings import Settings
from serai.policies.kinds import POLICY_KINDS
from serai.translate.cluster_policies import cluster_policies
from serai.translate.collections import Attached
from serai.translate.compiled import (
    AttachmentIndexes,
    backends_by_cluster,
    cluster_names,
    compiled_routes,
)
from serai.translate.destination_rules import destination_rules
from serai.translate.extensions import Extensions, extensions
from serai.translate.listener_policies import ListenerPolicies, listener_policies
from serai.translate.material import CertificateSources
from serai.translate.policies import Looks, compiled_policies, labelled, on_kinds
from serai.translate.sending import sending
from serai.translate.subsets import parts_of, subset_backends


def attach(graph: Graph, inputs: Inputs, settings: Settings) -> Attached:
    """Who applies to what."""
    known = catalog(graph, inputs, settings)
    ours = proxies(graph, inputs.gateways, inputs.gateway_classes, settings)
    wishes = namespace_wishes(graph, inputs.namespaces)
    taken = captures(graph, known.services, inputs.namespaces, wishes, ours)
    grants = Grants(graph, inputs.grants)
    heard, certificates = _listening(graph, inputs, ours, grants)
    above = Parents(known, inputs.namespaces, ours, heard, taken, grants)
    joined, by_parent = _joined(graph, inputs, above)
    subsets = subset_backends(graph, known, (rules := destination_rules(graph, inputs, settings)))
    aimed = _targets(graph, inputs, known, settings)
    looks = _looks(graph, inputs, Lookup(known, grants, subsets), settings)
    asked = _asked(graph, inputs, aimed, looks, ours)
    return Attached(
        settings=settings,
        catalog=known,
        proxies=ours,
        wishes=_wishes(graph, inputs, ours, heard),
        addresses=inputs.gateway_addresses,
        unusable=inputs.unusable_addresses,
        listening=heard,
        certificates=certificates,
        captures=taken,
        detours=(around := detours(graph, known, taken, ours)),
        frontends=(fronts := frontends(graph, taken, known, ours, settings)),
        bindings=(bound := bindings(graph, fronts, known)),
        ranges=ranges(graph, bound),
        workloads=workload_captures(graph, known.workloads, inputs.namespaces, wishes, ours),
        attachments=joined,
        cluster_policies=(sent := cluster_policies(graph, aimed, inputs.by_kind, inputs.unread)),
        sending=(how := sending(graph, known, sent, rules)),
        compiled=compiled_routes(graph, joined, inputs.routes, looks, asked, around, how),
        by_parent=by_parent,
        looks=looks,
        extensions=asked,
        listener_policies=_of_listeners(graph, inputs, aimed, looks),
        rules=rules,
        material=CertificateSources(inputs.secrets, inputs.config_maps, grants),
    )


def parameter_tables(inputs: Inputs) -> Tables:
    """What parametersRef of GatewayClasses and Gateways may name."""
    kind = GatewayParameters.__name__
    return {(KGATEWAY, kind): inputs.table(kind)}


def _wishes(
    graph: Graph, inputs: Inputs, ours: Node[Key, Proxy], heard: Listening
) -> Node[Key, Wish]:
    """How Gateways are to be deployed."""
    gateways, classes = inputs.gateways, inputs.gateway_classes
    return deployment_wishes(graph, ours, gateways, classes, heard, parameter_tables(inputs))


def _listening(
    graph: Graph, inputs: Inputs, ours: Node[Key, Proxy], grants: Grants
) -> tuple[Listening, Certificates]:
    """The listeners of Gateways and ListenerSets, what they show, and whom they trust."""
    pairs = key_pairs(graph, inputs.secrets, inputs.untimely)
    certificates = Certificates(pairs, inputs.secrets, inputs.config_maps, grants)
    sets, namespaces = inputs.listener_sets, inputs.namespaces
    return listening(graph, ours, sets, namespaces, certificates), certificates


def _joined(
    graph: Graph, inputs: Inputs, parents: Parents
) -> tuple[Node[AttachmentKey, Attachment], AttachmentIndexes]:
    """Which routes are attached, of one kind on each port, and by what they are found."""
    wanted = attachments(graph, inputs.routes, parents)
    joined = settled(graph, wanted, inputs.routes, parents.catalog.services)
    return joined, AttachmentIndexes(graph, joined)


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
    clusters = cluster_names(graph, lookup.catalog, lookup.subsets, settings)
    return Looks(
        lookup=lookup,
        parts=parts_of(graph, lookup.subsets),
        clusters=clusters,
        by_cluster=backends_by_cluster(graph, clusters),
        grants=lookup.grants,
        secrets=inputs.secrets,
        issuers=inputs.issuers,
        labelled=labelled(graph, inputs.secrets),
        config_maps=inputs.config_maps,
        extensions=inputs.table("GatewayExtension"),
        settings=settings,
    )


def _asked(
    graph: Graph, inputs: Inputs, aimed: Targets, looks: Looks, ours: Node[Key, Proxy]
) -> Extensions:
    """What policies ask of requests, and what filters of routes name."""
    kinds = on_kinds(POLICY_KINDS, inputs.by_kind)
    policies = compiled_policies(graph, kinds, inputs.unread, aimed, looks, ours)
    return extensions(graph, policies, inputs.table("DirectResponse"), inputs.routes)


def _of_listeners(graph: Graph, inputs: Inputs, aimed: Targets, looks: Looks) -> ListenerPolicies:
    """What policies ask of listeners."""
    return listener_policies(graph, inputs.by_kind, inputs.unread, aimed, looks)
