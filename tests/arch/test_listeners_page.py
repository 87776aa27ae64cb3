"""The page of listener policies says of each field what becomes of it, and what shows that."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from serai.api.listener_policy import HTTPSettings, ListenerConfig

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/policies-listeners.md").read_text()
TABLES = {"a listener": ListenerConfig, "httpSettings": HTTPSettings}


def rows(table: str) -> list[list[str]]:
    """The cells of each row."""
    section = PAGE.partition(f"## Every field of {table}\n")[2].partition("\n## ")[0]
    lines = section.partition("\n### ")[0].splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("| `")
    ]


@pytest.mark.parametrize("table", TABLES)
def test_no_field_is_missing(table: str) -> None:
    written = [name for cells in rows(table) for name in re.findall(r"`([^`]+)`", cells[0])]
    assert sorted(written) == sorted(TABLES[table].__struct_encode_fields__)


@pytest.mark.parametrize("table", TABLES)
def test_what_shows_it_is_there(table: str) -> None:
    for cells in rows(table):
        shown = [each.strip() for each in cells[-1].split(",") if each.strip()]
        assert shown or cells[0] == "`httpSettings`", f"nothing shows {cells[0]}"
        for each in shown:
            tests = [*(ROOT / "tests").glob(f"*/{each}"), *(ROOT / "tests/cases").glob(each)]
            assert tests, f"there is no {each}"
