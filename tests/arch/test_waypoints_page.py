"""What docs/waypoints.md says is shown by a test is shown by one that there is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/waypoints.md").read_text()


def test_every_test_that_it_names_is_there() -> None:
    named = re.findall(r"`(tests/[^`]+)`", PAGE)
    assert len(named) > 28
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_every_limitation_has_a_row() -> None:
    rows = [int(each) for each in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    assert rows == list(range(1, 29))
