"""Random routes and requests: Envoy's answer is the one of a plain model of the spec."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casekit.case import Case, load
from casekit.live import live, observe
from casekit.requests import Expect, Request
from live.serving import Place
from property.precedence import (
    GATEWAY,
    Asked,
    Route,
    headers,
    manifest,
    requests,
    route_sets,
    url,
    winner,
)

pytestmark = pytest.mark.live


@settings(deadline=None, max_examples=8, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    route_sets.filter(lambda found: len(found) > 1), st.lists(requests, min_size=24, max_size=24)
)
def test_envoy_answers_as_the_model(routes: list[Route], asked: list[Asked]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        documents = [GATEWAY, *(manifest(route) for route in routes)]
        text = "# why: random routes\n" + yaml.safe_dump_all(documents)
        Path(folder, "input.yaml").write_text(text)
        won = asyncio.run(_ask(load(Path(folder)), Path(folder, "state"), asked))
    assert won == [winner(routes, each) for each in asked]


async def _ask(case: Case, state: Path, asked: list[Asked]) -> list[str | None]:
    async with live(case, state) as running:
        [stage] = case.stages(Place().gateway)
        await running.reach(stage)
        assert running.rejections() == 0
        won: list[str | None] = []
        for each in asked:
            to = url(each)
            gets, posts = (to, "") if each.method == "GET" else ("", to)
            sent = Request(expect=Expect(), headers=dict(headers(each)), get=gets, post=posts)
            observed = await observe(running, stage, sent)
            assert observed is not None and observed.response_headers is not None, each
            won.append(dict(observed.response_headers).get("won"))
        return won
