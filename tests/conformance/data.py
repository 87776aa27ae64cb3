"""The suite's tables and manifests, where they are at hand."""

from __future__ import annotations

import csv
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("SERAI_SHARED") or REPOSITORY.parent / "shared")
DATA = SHARED / "data" / "gateway-api-conformance"
FEATURES = SHARED / "facts" / "gateway-features.tsv"
ABSENT = f"no conformance data in {DATA}; SERAI_SHARED names the folder"

Case = dict[str, Any]


@cache
def cases() -> dict[str, Case]:
    """All tests there are, by short name."""
    found = (json.loads(path.read_text()) for path in sorted((DATA / "cases").glob("*.json")))
    return {each["shortName"]: each for each in found}


@cache
def feature_rows() -> tuple[tuple[str, str], ...]:
    """Profile and feature, as reports count them."""
    with FEATURES.open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return tuple((row["profile"], row["feature"]) for row in rows)


def manifests(case: Case) -> list[dict[str, Any]]:
    """The objects of a test: its base's and its own, nothing else."""
    paths = [case["baseManifests"], *case["manifests"]]
    return [obj for path in paths for obj in _objects(path)]


def _objects(path: str) -> list[dict[str, Any]]:
    text = (DATA / path).read_text()
    loaded = yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return [obj for obj in loaded if obj and obj.get("kind")]
