"""Every case's requests once more, through real Envoys, which must agree with `trace`."""

from __future__ import annotations

from pathlib import Path

import pytest

from casekit.case import Case, Stage, cases
from casekit.live import LiveCase, live, observe
from casekit.requests import Observed, Request, mismatches
from casekit.traced import follow, possible
from live.serving import Place

pytestmark = pytest.mark.live

AGREED = ("status", "endpoint", "method", "path", "host", "location")


@pytest.mark.parametrize(
    "case", [case for case in cases() if case.requests], ids=lambda case: case.name
)
async def test_case(case: Case, tmp_path: Path) -> None:
    async with live(case, tmp_path) as running:
        # What a case asks at an address of its own must be there.
        placed = any("//127.0.0." in request.url for request in case.requests)
        place = Place()
        for stage in case.stages("" if placed else place.gateway, place.vips):
            requests = case.requests_at(stage.step)
            if not requests:
                continue
            await running.reach(stage)
            assert running.rejections() == 0
            for request in requests:
                await _try(running, stage, request)


async def _try(running: LiveCase, stage: Stage, request: Request) -> None:
    observed = await observe(running, stage, request)
    if observed is None:
        return
    asked = f"{request.method} {request.url} after {stage.step}: {observed}"
    assert mismatches(request.expect, observed) == [], asked
    foreseen = possible(follow(stage.view, request))
    assert any(_agree(observed, each) for each in foreseen), f"{asked}\n{foreseen}"


def _agree(observed: Observed, foreseen: Observed) -> bool:
    """Whether a trace foresaw this; what either does not know is not compared."""
    if observed.closed or foreseen.closed:
        return observed.closed == foreseen.closed
    pairs = ((getattr(observed, name), getattr(foreseen, name)) for name in AGREED)
    return all(one == other for one, other in pairs if None not in {one, other})
