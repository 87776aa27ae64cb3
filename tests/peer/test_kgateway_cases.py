"""What a peer's own fixtures must come to, judged by a checker that knows nothing of Serai."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from peer.kgateway import (
    CASES,
    CHECKER,
    CLIENT,
    NOT_YET,
    SEMANTIC,
    SURROUNDINGS,
    gateway_of,
    inputs_of,
    statuses,
    verdicts,
)
from serai.app.offline import load
from serai.views.config_dump import config_dump


def _expectations() -> list[Any]:
    if not CASES.is_dir() or not CHECKER.is_file():
        reason = f"no peer's cases in {CASES}; SERAI_SHARED names the folder"
        return [pytest.param(None, 0, marks=pytest.mark.skip(reason=reason))]
    return [
        _expectation(path.parent, number, each)
        for path in sorted(CASES.glob("*/case.json"))
        for number, each in enumerate(json.loads(path.read_text())[SEMANTIC])
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
    with TemporaryDirectory() as scratch:
        found = load([SURROUNDINGS, *inputs_of(folder, Path(scratch))], CLIENT)
    gateway = gateway_of(found.pipeline, found.places, folder)
    with TemporaryDirectory() as scratch:
        dump = json.dumps(config_dump(found.pipeline, gateway))
        told = verdicts(folder, Path(scratch), dump, statuses(found.pipeline))
    return {each["index"]: each for each in told if each["group"] == SEMANTIC}
