"""What a peer's own fixtures must come to, judged by a checker that knows nothing of Serai."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from serai.api.kinds import by_kind
from serai.app.offline import Offline, load
from serai.model.settings import Settings
from serai.views.config_dump import config_dump

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("SERAI_SHARED") or REPOSITORY.parent / "shared")
CASES = SHARED / "data" / "kgateway"
CHECKER = SHARED / "tools" / "check_config.py"

SURROUNDINGS = Path(__file__).with_name("surroundings.yaml")
"""What the fixtures' own suites set up beforehand, and the class whose name must be mapped."""

CLIENT = Settings(locality="r1/r1z2/r1z2s3", network="n1", node="worker")
"""Where the fixtures' own client is."""

AUTHORIZATION = "AuthorizationPolicy is not read yet"

NOT_YET: dict[str, dict[int, str]] = {
    "waypoint-e2e-authz-complex": dict.fromkeys((16, 18, 27), AUTHORIZATION),
}
"""By case and number of the expectation: what part of Serai is still to come."""


def _expectations() -> list[Any]:
    if not CASES.is_dir() or not CHECKER.is_file():
        reason = f"no peer's cases in {CASES}; SERAI_SHARED names the folder"
        return [pytest.param(None, 0, marks=pytest.mark.skip(reason=reason))]
    return [
        _expectation(path.parent, number, each)
        for path in sorted(CASES.glob("*/case.json"))
        for number, each in enumerate(json.loads(path.read_text())["semantic_expectations"])
    ]


def _expectation(folder: Path, number: int, expectation: dict[str, Any]) -> Any:
    reason = NOT_YET.get(folder.name, {}).get(number)
    return pytest.param(
        folder,
        number,
        id=f"{folder.name}-{number}-{expectation['kind']}",
        marks=[pytest.mark.xfail(reason=reason, strict=True)] if reason else [],
    )


@pytest.mark.parametrize(("folder", "number"), _expectations())
def test_a_peers_expectation(folder: Path, number: int) -> None:
    verdict = _verdicts(folder)[number]

    assert verdict["verdict"] == "PASS", f"{verdict['desc']}: {verdict['messages']}"


@cache
def _verdicts(folder: Path) -> dict[int, dict[str, Any]]:
    """What the checker says to each expectation of a case, by its number."""
    inputs = [path for name in ("input.yaml", "extra.yaml") if (path := folder / name).exists()]
    found = load([SURROUNDINGS, *inputs], CLIENT)
    gateways = [
        key
        for key in sorted(found.pipeline.attached.proxies.keys())
        if Path(found.places[key].file) != SURROUNDINGS
        or folder.name == "waypoint-e2e-authz-complex"
    ]
    with TemporaryDirectory() as scratch:
        dump, status = Path(scratch, "dump.json"), Path(scratch, "status.json")
        dump.write_text(json.dumps(config_dump(found.pipeline, gateways[0])))
        status.write_text(json.dumps(_statuses(found)))
        case = ["--case", str(folder / "case.json"), "--config-dump", str(dump)]
        told = subprocess.run(
            [sys.executable, str(CHECKER), *case, "--status", str(status), "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    results = json.loads(told.stdout)["results"]
    return {each["index"]: each for each in results if each["group"] == "semantic_expectations"}


def _statuses(found: Offline) -> list[dict[str, Any]]:
    """Every object that has a status, with nothing in it but that."""
    objects = []
    for key, status in sorted(found.pipeline.statuses.items()):
        kind = by_kind(key.kind)
        assert kind is not None
        metadata = {"name": key.name, "namespace": key.namespace}
        head = {"apiVersion": kind.api_version, "kind": key.kind, "metadata": metadata}
        objects.append({**head, "status": msgspec.to_builtins(status)})
    return objects
