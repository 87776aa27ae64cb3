"""The pages of policies say of each field of their definitions what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from serai.api.fields import Fields, Items, Node, fields_of
from serai.api.kinds import by_kind

ROOT = Path(__file__).parents[2]
PAGES = ("docs/policies-clusters.md", "docs/policies.md")
TABLES = {
    kind: section
    for page in PAGES
    for kind, section in re.findall(
        r"^### (\w+)\n(.*?)(?=^##|\Z)",
        (ROOT / page).read_text().partition("## Every field\n")[2],
        re.MULTILINE | re.DOTALL,
    )
}
"""The text of each kind's table."""
KINDS = sorted(TABLES)


def rows(kind: str) -> Iterator[tuple[list[str], str, list[str]]]:
    """Of each row: the fields, what becomes of them, what shows it."""
    for line in TABLES[kind].splitlines():
        cells = [each.strip() for each in line.strip("|").split("|")]
        if line.startswith("| `") and cells[0] != "`spec`":
            shown = [each.strip() for each in cells[2].split(",") if each.strip()]
            yield re.findall(r"`([^`]+)`", cells[0]), cells[1], shown


def leaves(node: Node, path: str = "") -> Iterator[tuple[str, bool]]:
    """Each field without fields of its own, and whether it is ignored."""
    if isinstance(node, Items):
        yield from leaves(node.item, path)
    elif isinstance(node, Fields):
        for name, field in node.fields.items():
            here = f"{path}.{name}" if path else name
            below = () if field.ignored else tuple(leaves(field.node, here))
            yield from below or ((here, field.ignored),)


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_is_missing(kind: str) -> None:
    known = by_kind(kind)
    assert known is not None
    spec = fields_of(known.struct)
    assert isinstance(spec, Fields)
    found = dict(leaves(spec.fields["spec"].node))
    written = {path: outcome for paths, outcome, _ in rows(kind) for path in paths}
    assert not [each for each in written if not any(_is_in(leaf, each) for leaf in found)]
    for leaf, ignored in found.items():
        outcomes = [outcome for path, outcome in written.items() if _is_in(leaf, path)]
        assert outcomes, f"{leaf} is not on the page"
        subset = leaf.startswith(("subsets.", "trafficPolicy.portLevelSettings."))
        assert "told" in outcomes[0] or not ignored or subset, f"{leaf} is ignored, and not told"


def _is_in(leaf: str, path: str) -> bool:
    return leaf == path or leaf.startswith(f"{path}.")


@pytest.mark.parametrize("kind", KINDS)
def test_what_shows_it_is_there(kind: str) -> None:
    for _, _, shown in rows(kind):
        for each in shown:
            tests = [*(ROOT / "tests").glob(f"*/{each}"), *(ROOT / "tests/cases").glob(each)]
            assert tests, f"there is no {each}"
