"""What is in force of an object that may restrict who gets in, where nothing of it can be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serai.api.kinds import by_kind
from serai.api.meta import Key
from serai.api.security import AuthorizationPolicy
from serai.api.unread import Unread
from serai.sources import file as file_module
from serai.sources.cluster import ClusterSource, Scope
from serai.sources.folder import FolderSource

POLICY = Key("AuthorizationPolicy", "shop", "only-cart")
SOUND = """apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: only-cart
  namespace: shop
spec:
  targetRefs:
  - {group: "", kind: Service, name: api}
  action: DENY
"""
WRONG_TYPE = SOUND.replace("DENY", "[DENY]")
NOT_YAML = SOUND.replace("DENY", "[DENY")
TWICE = SOUND + "  action: ALLOW\n"
TARGETS_TWICE = SOUND + "  targetRefs: []\n"


@pytest.fixture(autouse=True)
def believed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are written so fast here that all would seem half written."""
    monkeypatch.setattr(file_module, "SETTLED_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("text", "told"), [(WRONG_TYPE, True), (TWICE, True), (NOT_YAML, False), (TARGETS_TWICE, False)]
)
def test_it_stands_in_with_what_can_be_told(tmp_path: Path, text: str, *, told: bool) -> None:
    (tmp_path / "a.yaml").write_text(text)
    batch = FolderSource([tmp_path]).scan()
    found = batch.changed[POLICY]
    assert isinstance(found, Unread)
    assert found.key == POLICY
    assert (found.spec is not None) is told
    assert (batch.objects, batch.places[POLICY].file) == (0, str(tmp_path / "a.yaml"))
    assert "until it can be read, what it is for is refused" in batch.problems[0].message


def test_what_was_read_before_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(SOUND)
    source = FolderSource([path])
    source.scan()
    for text in (WRONG_TYPE, NOT_YAML):
        path.write_text(text)
        assert not source.scan().changed


def test_it_goes_when_the_object_can_be_read_and_when_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(WRONG_TYPE)
    source = FolderSource([path])
    source.scan()
    path.write_text(SOUND)
    assert isinstance(source.scan().changed[POLICY], AuthorizationPolicy)
    path.write_text("# nothing\n")
    assert source.scan().removed == {POLICY}
    path.write_text(WRONG_TYPE)
    assert isinstance(source.scan().changed[POLICY], Unread)
    path.write_text("# nothing\n")
    assert source.scan().removed == {POLICY}


def test_it_stays_while_it_cannot_be_told_what_the_text_is(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(NOT_YAML)
    source = FolderSource([path])
    assert POLICY in source.scan().changed
    path.write_text(NOT_YAML.replace("metadata", "met]adata"))
    batch = source.scan()
    assert POLICY in batch.places
    assert not batch.removed


def test_a_version_elsewhere_that_can_be_read_is_in_force(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(WRONG_TYPE)
    source = FolderSource([tmp_path])
    source.scan()
    (tmp_path / "b.yaml").write_text(SOUND)
    assert isinstance(source.scan().changed[POLICY], AuthorizationPolicy)


def test_of_other_kinds_nothing_is_in_force(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: 7}\n"
    )
    assert not FolderSource([tmp_path]).scan().changed


def _take(source: ClusterSource, **fields: Any) -> None:
    kind = by_kind(POLICY.kind)
    assert kind is not None
    spec = {"targetRefs": [{"kind": "Service", "name": "api"}], **fields}
    metadata = {"name": POLICY.name, "namespace": POLICY.namespace, "generation": 7}
    source.take(kind, [json.dumps({"metadata": metadata, "spec": spec}).encode()])


def test_in_a_cluster_it_takes_the_place_of_what_could_be_read() -> None:
    """All replicas must agree, and one that starts now has read nothing before."""
    source = ClusterSource(Scope())
    _take(source, action="DENY")
    assert isinstance(source.batch().changed[POLICY], AuthorizationPolicy)
    _take(source, action=7)
    batch = source.batch()
    found = batch.changed[POLICY]
    assert isinstance(found, Unread)
    assert (found.metadata.generation, found.spec and found.spec["action"]) == (7, 7)
    assert [each.severity for each in batch.problems] == ["error"]
    source.take(by_kind(POLICY.kind), (), [POLICY])  # type: ignore[arg-type]
    assert source.batch().removed == {POLICY}
