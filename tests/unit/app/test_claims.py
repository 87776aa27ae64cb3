"""What GatewayClasses and XMeshes are written to claim.  Gateway API: supportedFeatures."""

from __future__ import annotations

from typing import Any

from serai.api.decode import decode
from serai.api.meta import Key
from serai.app.core import Core
from serai.model.settings import Settings
from serai.status.features import GATEWAY_FEATURES, MESH_FEATURES
from serai.status.values import written

CONTROLLER = "serai.dev/gateway-controller"


def said(kind: str, name: str, version: str = "gateway.networking.k8s.io/v1") -> dict[str, Any]:
    found = decode(
        {
            "apiVersion": version,
            "kind": kind,
            "metadata": {"name": name, "generation": 3},
            "spec": {"controllerName": CONTROLLER},
        }
    )
    assert found.object is not None, found.problems
    core = Core(Settings())
    core.apply([found.object])
    status = core.pipeline.statuses.row(Key(kind, "", name))
    assert status is not None
    return written(status)


def names(status: dict[str, Any]) -> list[str]:
    return [each["name"] for each in status.get("supportedFeatures", ())]


def test_a_class_claims_what_gateways_do() -> None:
    status = said("GatewayClass", "edge")
    assert names(status) == list(GATEWAY_FEATURES)
    assert [(each["type"], each["status"]) for each in status["conditions"]] == [
        ("Accepted", "True")
    ]
    assert status["conditions"][0]["observedGeneration"] == 3


def test_a_class_of_waypoints_claims_nothing_of_gateways() -> None:
    assert names(said("GatewayClass", "some-waypoint")) == []


def test_a_mesh_claims_what_waypoints_do() -> None:
    status = said("XMesh", "ours", "gateway.networking.x-k8s.io/v1alpha1")
    assert names(status) == list(MESH_FEATURES)
    assert status["conditions"][0]["type"] == "Accepted"
