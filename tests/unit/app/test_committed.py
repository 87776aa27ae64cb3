"""A commit says whether there is anything new to tell."""

from __future__ import annotations

from property.counted import of, of_requests, world
from serai.app.core import Core
from serai.incremental import Failure
from serai.model.settings import Settings


def test_problems_that_come_or_go_are_said_and_others_are_not() -> None:
    core = Core(Settings())
    assert not core.apply(world(4)).problems

    stray = of_requests("p1000", "first")
    assert core.apply([stray]).problems
    assert not core.apply([of("Pod", "other", {"status": {"podIP": "10.8.0.1"}})]).problems
    assert core.apply([], [stray.key]).problems


def test_what_could_not_be_computed_is_said_once_and_when_it_is_over() -> None:
    core = Core(Settings())
    failures = core.pipeline.graph.failures

    failures["endpoints", "x"] = Failure("endpoints", "x", ValueError())
    assert core.commit().problems
    assert not core.commit().problems
    failures.clear()
    assert core.commit().problems
