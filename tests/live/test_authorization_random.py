"""Random AuthorizationPolicies and calls: Envoy decides as a plain reading of Istio."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from live.serving import Place, serving
from property.authorization import (
    ALIASES,
    GROUND,
    Call,
    Raw,
    address,
    allowed,
    calls,
    manifests,
    policy_sets,
)
from serai.api.problem import Problem
from serai.app.client.http import Entry, HttpAnswer, HttpRequest, send
from serai.echo.endpoint import EchoEndpoint
from serai.model.settings import Settings

pytestmark = pytest.mark.live

SERVICES = 500
CALLS = 8
AT_ONCE = 16
SECONDS = 10.0


def _drawn() -> list[tuple[list[Raw], list[Call]]]:
    """Policies of as many services, and calls to each."""
    found: list[tuple[list[Raw], list[Call]]] = []

    @settings(
        max_examples=SERVICES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(policy_sets, st.lists(calls, min_size=CALLS, max_size=CALLS))
    def collect(policies: list[Raw], asked: list[Call]) -> None:
        found.append((policies, asked))

    collect()
    return found


async def test_envoy_decides_as_the_model(tmp_path: Path) -> None:
    drawn, place = _drawn(), Place()
    written = [raw for number, each in enumerate(drawn) for raw in manifests(number, each[0])]
    files = {"world.yaml": yaml.safe_dump_all([*GROUND, *written])}
    echo = [EchoEndpoint("127.90.1.1", 8080), EchoEndpoint("127.90.1.1", 8090)]
    meant = Settings(trust_domain_aliases=ALIASES)
    gate = asyncio.Semaphore(AT_ONCE)
    async with serving(tmp_path, files, echo, place, meant):

        async def decided(number: int, call: Call) -> bool:
            async with gate:
                return await _is_allowed(place, number, call)

        asked = [(number, call) for number, each in enumerate(drawn) for call in each[1]]
        found = await asyncio.gather(*(decided(*each) for each in asked))
    wrong = [
        (drawn[number][0], call, is_allowed)
        for (number, call), is_allowed in zip(asked, found, strict=True)
        if is_allowed != allowed(drawn[number][0], call)
    ]
    assert not wrong, f"{len(wrong)} of {len(asked)}, such as {wrong[0]}"
    assert len(asked) // 5 < sum(found) < 4 * len(asked) // 5


async def _is_allowed(place: Place, number: int, call: Call) -> bool:
    entry = Entry(
        connect=(place.gateway, 15088),
        destination=(address(number), call.port),
        principal=call.caller,
    )
    headers = (("host", call.host), ("connection", "close"), *call.headers)
    asked = HttpRequest(method=call.method, target=call.path, headers=headers)
    answer = await send(entry, asked, SECONDS)
    if isinstance(answer, Problem):
        assert not call.http, answer
        return False
    assert isinstance(answer, HttpAnswer)
    assert answer.status in {200, 403}
    return answer.status == 200
