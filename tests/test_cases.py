"""Every case once: what is expected of its world, and its requests through `trace`."""

from __future__ import annotations

from difflib import unified_diff

import pytest

from casekit.case import CASES, Case, cases
from casekit.goldens import as_yaml, selected, update
from casekit.projection import project
from casekit.traced import faults, follow
from serai.trace import Trace, lines

ALL = cases()


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_case(case: Case, request: pytest.FixtureRequest) -> None:
    last = None
    for stage in case.stages():
        assert not stage.world.pipeline.graph.failures
        for each in case.requests_at(stage.step):
            found = follow(stage.view, each)
            told = "\n".join(lines(found)) if isinstance(found, Trace) else str(found)
            assert not faults(each, found), f"{each.method} {each.url} after {stage.step}\n{told}"
        last = stage
    assert last is not None
    actual = project(last)
    if request.config.getoption("--update"):
        update(case.folder, actual)
    for name, expected in case.expected().items():
        _compare(f"{case.name}/expected/{name}.yaml", expected, selected(expected, actual[name]))


def _compare(name: str, expected: object, actual: object) -> None:
    before, after = (as_yaml(each).splitlines() for each in (expected, actual))
    diff = "\n".join(unified_diff(before, after, name, "actual", lineterm=""))
    assert not diff, f"\n{diff}\n\npytest --update accepts this"


def test_every_case_is_found_and_asks_for_something() -> None:
    folders = {path.parent for path in CASES.rglob("input.yaml")}

    assert folders == {case.folder for case in ALL}
    assert not [case.name for case in ALL if not case.requests and not case.expected()]
