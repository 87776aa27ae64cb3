"""Every problem's code is documented, and no documented code is unknown to the source."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"SER\d{4}")


def test_the_codes_in_the_source_are_those_in_the_docs() -> None:
    used = {
        code for path in (ROOT / "src").rglob("*.py") for code in CODE.findall(path.read_text())
    }
    text = (ROOT / "docs/problems.md").read_text()
    documented = re.findall(r"^\| (SER\d{4}) \|", text, re.MULTILINE)
    assert sorted(used - set(documented)) == []
    assert sorted(set(documented) - used) == []
    assert len(documented) == len(set(documented))
