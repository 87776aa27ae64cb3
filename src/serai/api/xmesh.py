"""XMesh: a mesh, and what it can do.  Gateway API, experimental: XMesh (GEP-3949)."""

from __future__ import annotations

from serai.api.gateway import ParametersReference
from serai.api.meta import Object, Struct


class XMeshSpec(Struct, frozen=True):
    """XMesh.spec."""

    controller_name: str
    description: str = ""
    parameters_ref: ParametersReference | None = None


class XMesh(Object, frozen=True):
    """gateway.networking.x-k8s.io/v1alpha1 XMesh."""

    spec: XMeshSpec
