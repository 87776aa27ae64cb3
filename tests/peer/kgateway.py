"""kgateway's own cases, and what Serai makes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from serai.api.kinds import by_kind
from serai.api.meta import Key
from serai.api.problem import Place
from serai.app.pipeline import Pipeline
from serai.model.settings import Settings

REPOSITORY = Path(__file__).parents[2]


SHARED = Path(os.environ.get("SERAI_SHARED") or REPOSITORY.parent / "shared")


CASES = SHARED / "data" / "kgateway"


CHECKER = SHARED / "tools" / "check_config.py"


SEMANTIC = "semantic_expectations"


SURROUNDINGS = Path(__file__).with_name("surroundings.yaml")
"""What the fixtures' own suites set up beforehand, and the class whose name must be mapped."""


CLIENT = Settings(locality="r1/r1z2/r1z2s3", network="n1", node="worker")
"""Where the fixtures' own client is."""


APPLIED_TO = {"waypoint-e2e-authz-complex": "waypoint-test-ns"}
"""The namespace of objects that name none, where the suite does not use the default."""


NOT_YET: dict[str, dict[int, str]] = {}
"""By case and number of the expectation: what part of Serai is still to come."""


def inputs_of(folder: Path, scratch: Path) -> list[Path]:
    """The manifests of a case; where it wants another namespace, copies of them in `scratch`."""
    found = [path for name in ("input.yaml", "extra.yaml") if (path := folder / name).exists()]
    namespace = APPLIED_TO.get(folder.name)
    return [_in_namespace(each, namespace, scratch) for each in found] if namespace else found


def _in_namespace(path: Path, namespace: str, scratch: Path) -> Path:
    """A file whose objects are in a namespace if they name none."""
    written = [each for each in yaml.safe_load_all(path.read_text()) if each]
    for each in written:
        each["metadata"].setdefault("namespace", namespace)
    copy = scratch / path.name
    copy.write_text(yaml.safe_dump_all(written))
    return copy


def gateway_of(pipeline: Pipeline, places: Mapping[Key, Place], folder: Path) -> Key:
    """The Gateway that a case asks about."""
    return next(
        key
        for key in sorted(pipeline.attached.proxies.keys())
        if Path(places[key].file).name != SURROUNDINGS.name
        or folder.name == "waypoint-e2e-authz-complex"
    )


def verdicts(
    folder: Path, scratch: Path, dump: str, told: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What the checker says of a dump and of statuses, to everything that it is asked."""
    (scratch / "dump.json").write_text(dump)
    (scratch / "status.json").write_text(json.dumps(told))
    case = ["--case", str(folder / "case.json"), "--config-dump", str(scratch / "dump.json")]
    done = subprocess.run(
        [sys.executable, str(CHECKER), *case, "--status", str(scratch / "status.json"), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return [each for each in found if each["group"].endswith("_expectations")]


def statuses(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Every object that has a status, with nothing in it but that."""
    objects = []
    for key, status in sorted(pipeline.statuses.items()):
        kind = by_kind(key.kind)
        assert kind is not None
        metadata = {"name": key.name, "namespace": key.namespace}
        head = {"apiVersion": kind.api_version, "kind": key.kind, "metadata": metadata}
        objects.append({**head, "status": msgspec.to_builtins(status)})
    return objects
