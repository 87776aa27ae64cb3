"""The known fields: regenerated from the published definitions, and joined with the Structs."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from serai.api import core, fields, kinds, networking
from serai.api.httproute import HTTPRoute

ROOT = Path(__file__).parents[3]
KNOWN = ROOT / "src/serai/api/known_fields.txt"


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("known_fields", ROOT / "tools/known_fields.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_fields_of_custom_resources_are_those_of_their_definitions() -> None:
    shared = os.environ.get("SERAI_SHARED")
    if not shared:
        pytest.skip("SERAI_SHARED names no folder with the CustomResourceDefinitions")
    tool = generator()
    written = tool.render(tool.crd_types(Path(shared, "data/crds")))
    assert KNOWN.read_text("utf-8").endswith(written)


def test_fields_of_kubernetes_kinds_are_those_of_its_models() -> None:
    pytest.importorskip("lightkube.models.core_v1", reason="lightkube is not installed")
    tool = generator()
    assert tool.render(tool.model_types()) in KNOWN.read_text("utf-8")


def test_the_file_is_small() -> None:
    assert KNOWN.stat().st_size < 100_000


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_its_fields(kind: kinds.Kind) -> None:
    known = fields.fields_of(kind.struct)
    assert {"apiVersion", "kind", "metadata"} <= known.fields.keys()
    assert known.required[0] == "metadata"


def test_a_field_that_its_struct_lacks_is_ignored_and_one_that_it_has_is_not() -> None:
    service = fields.fields_of(core.Service).fields["spec"].node
    assert isinstance(service, fields.Fields)
    assert service.fields["sessionAffinity"].ignored
    assert not service.fields["selector"].ignored
    assert not service.fields["ipFamilies"].ignored, "untold, since it repeats the addresses"


def test_a_literal_of_a_struct_limits_the_values() -> None:
    entry = fields.fields_of(networking.ServiceEntry).fields["spec"].node
    assert isinstance(entry, fields.Fields)
    location = entry.fields["location"].node
    assert isinstance(location, fields.Scalar)
    assert set(location.choices) == {"MESH_EXTERNAL", "MESH_INTERNAL"}


def test_no_field_of_a_struct_is_unknown_to_the_definitions() -> None:
    """Else a Struct has a field that no manifest can have."""
    beyond = {"ServiceEntry.status.addresses"}  # status is open in Istio's definition
    for kind in kinds.KINDS:
        known = fields.fields_of(kind.struct)
        names = {word.partition(":")[0].partition("=")[0] for word in listed(kind.name)}
        assert known.fields.keys() == names, kind.name
    status = fields.fields_of(networking.ServiceEntry).fields["status"].node
    assert isinstance(status, fields.Fields) and status.others and beyond


def listed(name: str) -> list[str]:
    lines = KNOWN.read_text("utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{name} ")).split()[1:]


def test_defaults_ask_for_nothing() -> None:
    route = fields.fields_of(HTTPRoute).fields["spec"].node
    assert isinstance(route, fields.Fields)
    parents = route.fields["parentRefs"].node
    assert isinstance(parents, fields.Items) and isinstance(parents.item, fields.Fields)
    assert parents.item.fields["kind"].usual == ("Gateway",)
