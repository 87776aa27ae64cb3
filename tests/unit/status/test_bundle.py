"""The condition SupportedVersion of GatewayClasses."""

from __future__ import annotations

import json

import pytest

from serai.api.gateway import GatewayClass, GatewayClassSpec
from serai.api.kinds import by_kind
from serai.api.meta import Condition, ObjectMeta
from serai.app.bundles import bundles_of
from serai.app.core import Core
from serai.attach.gateways import CONTROLLER
from serai.kube.reflector import Delta
from serai.kube.wire import Name, read_item
from serai.model.settings import Settings
from serai.sources.cluster import read_object
from serai.status.bundle import ANNOTATION, CLASSES, supported_version
from serai.status.values import FeaturesStatus

OURS = GatewayClass(ObjectMeta(name="serai", generation=3), GatewayClassSpec(CONTROLLER))
THEIRS = GatewayClass(ObjectMeta(name="theirs"), GatewayClassSpec("example.com/other"))


@pytest.mark.parametrize("bundle", ["v1.0.0", "v1.5.1", "v1.6.0", "v1.6.9", "v1.6.0-rc.1"])
def test_releases_of_which_every_field_is_known(bundle: str) -> None:
    verdict = supported_version(bundle)
    assert (verdict.ok, verdict.reason) == (True, "SupportedVersion")


@pytest.mark.parametrize(
    "bundle",
    ["v1.7.0", "v1.7.0-rc.1", "v1.10.0", "v2.0.0", "v0.8.1", "v0.0.0-dev", "1.6.0", "v1.6", "x"],
)
def test_others_are_not_supported_and_the_message_names_both(bundle: str) -> None:
    verdict = supported_version(bundle)
    assert (verdict.ok, verdict.reason) == (False, "UnsupportedVersion")
    assert f"are of {bundle}," in verdict.message
    assert "v1.6" in verdict.message
    assert "SER0005" in verdict.message


def test_what_the_message_says_of_fields_that_are_not_known_is_so() -> None:
    kind = by_kind("HTTPRoute")
    assert kind is not None
    body = {"metadata": {"name": "newer", "namespace": "shop"}, "spec": {"sinceV9": True}}
    _, used, problems = read_object(kind, json.dumps(body).encode())
    assert used is not None  # without it
    assert [each.code for each in problems] == ["SER0005"]


def test_without_the_annotation_the_message_says_so() -> None:
    verdict = supported_version("")
    assert not verdict.ok
    assert ANNOTATION in verdict.message


def test_the_condition_follows_the_bundle_and_accepted_stays() -> None:
    core = Core(Settings())
    core.apply([OURS, THEIRS])
    bundles = core.pipeline.inputs.bundles
    assert _said(core) == {"Accepted": "True"}, "nobody sees CRDs"
    for bundle, wanted in (("v1.6.1", "True"), ("v1.7.0", "False"), ("", "False")):
        bundles.put(CLASSES, bundle)
        assert core.commit().statuses == (OURS.key,)
        assert _said(core) == {"Accepted": "True", "SupportedVersion": wanted}
        assert {each.observed_generation for each in _conditions(core)} == {3}
    bundles.drop(CLASSES)
    core.commit()
    assert _said(core) == {"Accepted": "True"}
    assert core.pipeline.statuses.row(THEIRS.key) is None


def test_only_the_definition_of_gateway_classes_counts() -> None:
    other = _definition("gateways.gateway.networking.k8s.io", {ANNOTATION: "v1.5.0"})
    assert bundles_of(Delta((read_item(other),))) == {}
    ours = _definition(CLASSES, {ANNOTATION: "v1.6.1"})
    assert bundles_of(Delta((read_item(other), read_item(ours)))) == {CLASSES: "v1.6.1"}
    assert bundles_of(Delta((read_item(_definition(CLASSES, None)),))) == {CLASSES: ""}
    assert bundles_of(Delta((), (Name("", CLASSES), Name("", "widgets")))) == {CLASSES: None}


def _definition(name: str, annotations: dict[str, str] | None) -> bytes:
    metadata = {"name": name, "resourceVersion": "1"}
    if annotations is not None:
        return json.dumps({"metadata": {**metadata, "annotations": annotations}}).encode()
    return json.dumps({"metadata": metadata}).encode()


def _conditions(core: Core) -> tuple[Condition, ...]:
    status = core.pipeline.statuses.row(OURS.key)
    assert isinstance(status, FeaturesStatus)
    return status.conditions


def _said(core: Core) -> dict[str, str]:
    return {each.type: each.status for each in _conditions(core)}
