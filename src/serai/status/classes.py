"""The status of GatewayClasses and XMeshes.  Gateway API: GatewayClassStatus, MeshStatus."""

from __future__ import annotations

from serai.api.gateway import GatewayClass
from serai.api.meta import Key
from serai.api.xmesh import XMesh
from serai.attach.gateways import CONTROLLER, is_waypoint_class
from serai.attach.parameters import Tables, parameters
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.status.bundle import CLASSES, supported_version
from serai.status.features import GATEWAY_FEATURES, MESH_FEATURES
from serai.status.values import FeaturesStatus, SupportedFeature, condition


def class_statuses(
    graph: Graph, classes: Node[Key, GatewayClass], bundles: Node[str, str], tables: Tables
) -> Derived[Key, FeaturesStatus]:
    """The status of each GatewayClass that names our controller.

    `bundles` are the bundle versions of CRDs, by their names; without CRDs nothing is said of them.
    One of waypoints claims nothing: its features are those of a mesh.
    """

    def status(reader: Reader, _: Key, row: GatewayClass) -> FeaturesStatus | None:
        if row.spec.controller_name != CONTROLLER:
            return None
        accepted = parameters(reader, tables, row.spec.parameters_ref, "")
        conditions = [condition("Accepted", accepted, row.metadata.generation)]
        bundle = reader.get(bundles, CLASSES)
        if bundle is not None:
            supported = supported_version(bundle)
            conditions.append(condition("SupportedVersion", supported, row.metadata.generation))
        names = () if is_waypoint_class(row) else GATEWAY_FEATURES
        return FeaturesStatus(tuple(conditions), _features(names))

    return mapped(graph, "statuses of GatewayClass", classes, status)


def mesh_statuses(
    graph: Graph, meshes: Node[Key, XMesh], tables: Tables
) -> Derived[Key, FeaturesStatus]:
    """The status of each XMesh that names our controller."""

    def status(reader: Reader, _: Key, row: XMesh) -> FeaturesStatus | None:
        if row.spec.controller_name != CONTROLLER:
            return None
        accepted = parameters(reader, tables, row.spec.parameters_ref, "")
        return FeaturesStatus(
            (condition("Accepted", accepted, row.metadata.generation),), _features(MESH_FEATURES)
        )

    return mapped(graph, "statuses of XMesh", meshes, status)


def _features(names: tuple[str, ...]) -> tuple[SupportedFeature, ...]:
    return tuple(SupportedFeature(name) for name in names)
