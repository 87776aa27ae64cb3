"""Random routes and requests: the simulator's answer is the one of a plain model of the spec."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from property.precedence import (
    GATEWAY,
    Asked,
    Route,
    asks_for_all,
    close_sets,
    headers,
    manifest,
    requests,
    route_sets,
    url,
    winner,
)
from serai.api.decode import decode
from serai.api.meta import Object
from serai.app.core import Core
from serai.model.settings import Settings
from serai.trace import Answered, TraceRequest, View, resolve, trace


def view_of(routes: list[Route]) -> View:
    objects: list[Object] = []
    for raw in [GATEWAY, *(manifest(route) for route in routes)]:
        decoded = decode(raw)
        assert decoded.object is not None, decoded.problems
        objects.append(decoded.object)
    world = Core(Settings())
    world.apply(objects)
    return View(world.pipeline.attached, world.pipeline.translated)


def foreseen(view: View, asked: Asked) -> str | None:
    """Which rule answers, by what the simulator says of the answer's headers."""
    found = resolve(view, url(asked), method=asked.method, headers=headers(asked))
    assert isinstance(found, TraceRequest)
    outcome = trace(view, found).outcome
    assert isinstance(outcome, Answered)
    return dict(outcome.response.set).get("won")


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(route_sets, st.lists(requests, min_size=1, max_size=12))
def test_the_simulator_answers_as_the_model(routes: list[Route], asked: list[Asked]) -> None:
    view = view_of(routes)
    for each in asked:
        assert foreseen(view, each) == winner(routes, each), each


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(close_sets)
def test_what_is_nearly_alike_is_ordered_as_by_the_model(routes: list[Route]) -> None:
    assert foreseen(view_of(routes), asks_for_all) == winner(routes, asks_for_all)
