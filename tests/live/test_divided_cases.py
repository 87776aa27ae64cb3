"""Cases of gateways once more, with every table divided: whatever policies ask for is done.

Envoy decides upon some things before it has found the part that a request belongs to, such as
which filters there are at all.  Nothing may depend on that.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from casekit.case import Case, cases
from live.test_cases import test_case as once_more
from serai.translate import division

pytestmark = pytest.mark.live

AREAS = ("tokens", "filters", "policies", "routes-http", "tls", "authorization")
_EDGE = re.compile(r"gatewayClassName: serai[\n},]")


def of_gateways() -> list[Case]:
    found = [each for each in cases() if each.requests and each.name.split("/")[0] in AREAS]
    return [each for each in found if _EDGE.search((each.folder / "input.yaml").read_text())]


@pytest.mark.parametrize("case", of_gateways(), ids=lambda case: case.name)
async def test_divided(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(division, "_is_large", lambda *_: True)
    await once_more(case, tmp_path)


def test_there_are_some_of_every_area() -> None:
    assert {each.name.split("/")[0] for each in of_gateways()} == set(AREAS)
