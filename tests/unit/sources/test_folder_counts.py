"""What one saved file costs does not depend on how many files there are."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from serai.sources import file as file_module
from serai.sources import known as known_module
from serai.sources.find import FoundFile, as_found
from serai.sources.folder import FolderSource
from serai.sources.reading import Reading, read_document

FEW, MANY = 20, 400


def text(number: int, port: int) -> str:
    return f"""\
apiVersion: v1
kind: Service
metadata: {{name: s{number}, namespace: shop}}
spec: {{ports: [{{port: {port}}}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: s{number}, namespace: shop}}
"""


def service_text(name: str) -> str:
    return f"""\
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec: {{ports: [{{port: 80}}]}}
"""


def folder_of(files: int, at: Path) -> FolderSource:
    at.mkdir()
    for number in range(files):
        (at / f"s{number}.yaml").write_text(text(number, 80))
    source = FolderSource([at])
    assert source.scan().objects == 2 * files
    return source


def save(at: Path, *numbers: int) -> frozenset[str]:
    """Saves files as an editor does: a draft takes the file's name."""
    for number in numbers:
        draft = at / f".s{number}.yaml.swp"
        draft.write_text(text(number, 81))
        draft.rename(at / f"s{number}.yaml")
    return frozenset(str(at / f"s{number}.yaml") for number in numbers)


def calls(source: FolderSource, happened: frozenset[str]) -> int:
    """The Python functions that are called to bring into force what happened to files."""
    found = 0

    def count(_: FrameType, event: str, __: Any) -> None:
        nonlocal found
        found += event == "call"

    sys.setprofile(count)
    try:
        batch = source.scan(happened)
    finally:
        sys.setprofile(None)
    assert len(batch.changed) == len(happened) or len(batch.removed) == 2 * len(happened)
    return found


def test_a_saved_file_costs_the_same_among_many(tmp_path: Path) -> None:
    few, many = folder_of(FEW, tmp_path / "few"), folder_of(MANY, tmp_path / "many")
    among_few = among_many = 0
    for number in (3, 4):
        # The first time words and types are met that are known from then on.
        among_few = calls(few, save(tmp_path / "few", number))
        among_many = calls(many, save(tmp_path / "many", number))
    assert among_many <= among_few + 20


def test_a_new_file_and_one_that_goes_cost_the_same_among_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "SETTLED_SECONDS", 0.0)
    cost: dict[str, list[int]] = {}
    for name, files in (("few", FEW), ("many", MANY)):
        source, at = folder_of(files, tmp_path / name), tmp_path / name
        come = go = 0
        for _ in range(2):
            (at / "new.yaml").write_text(service_text("new"))
            come = calls(source, frozenset({str(at / "new.yaml")}))
            (at / "new.yaml").unlink()
            source.scan(frozenset({str(at / "new.yaml")}))
            assert source.last.removed
            (at / "s3.yaml").unlink()
            go = calls(source, frozenset({str(at / "s3.yaml")}))
            (at / "s3.yaml").write_text(text(3, 80))
            source.scan(frozenset({str(at / "s3.yaml")}))
        cost[name] = [come, go]
    assert all(many <= few + 20 for few, many in zip(*cost.values(), strict=True)), cost


def test_only_what_was_saved_is_looked_at_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder_of(MANY, tmp_path / "many")
    looked: list[str] = []
    documents: list[str] = []

    def look(path: str, status: os.stat_result) -> FoundFile:
        looked.append(path)
        return as_found(path, status)

    def read(document: str) -> Reading:
        documents.append(document)
        return read_document(document)

    monkeypatch.setattr(known_module, "as_found", look)
    monkeypatch.setattr(file_module, "read_document", read)
    saved = save(tmp_path / "many", 1, 7, 9)
    source.scan(saved)
    assert sorted(looked) == sorted(saved)
    assert len(documents) == 3, "the document of each that is as it was is not read again"


def test_an_object_of_several_files_stays_while_one_has_it(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(text(1, 80))
    source = FolderSource([tmp_path])
    assert (source.scan().objects, len(source.last.problems)) == (2, 4)
    for name, left in (("b", 2), ("a", 0)):
        (tmp_path / f"{name}.yaml").write_text("# nothing\n")
        batch = source.scan()
        while source.half_written:
            batch = source.scan()
        assert (batch.objects, len(batch.problems)) == (2, left)
    assert {place.file for place in source.last.places.values()} == {str(tmp_path / "c.yaml")}
