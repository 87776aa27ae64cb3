"""What an editor does around the file that it saves costs no look at all files."""

from __future__ import annotations

from pathlib import Path

import pytest
from watchfiles import Change

from serai.sources.watch import Seen

Happened = list[tuple[Change, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    for name in ("cart.yaml", "shop/pay.yaml"):
        (tmp_path / name).touch()
    return tmp_path


def seen(folder: Path, *happened: tuple[Change, str]) -> frozenset[str] | None:
    """The files to look at; None for all of them."""
    found = Seen(lambda path: Path(path).name == "gone")
    found.happened((change, str(folder / name)) for change, name in happened)
    assert found.wake.is_set()
    return found.taken()


@pytest.mark.parametrize(
    "around",
    [
        [(Change.added, "4913"), (Change.deleted, "4913")],
        [(Change.added, "cart.yaml~"), (Change.deleted, "cart.yaml~")],
        [(Change.added, "sedAb3xY"), (Change.deleted, "sedAb3xY")],
        [(Change.added, "#cart.yaml#")],
    ],
)
def test_drafts_are_passed_over(folder: Path, around: Happened) -> None:
    assert seen(folder, *around, (Change.added, "cart.yaml")) == frozenset(
        {str(folder / "cart.yaml")}
    )


@pytest.mark.parametrize(
    "other",
    [(Change.added, "shop"), (Change.deleted, "gone")],
)
def test_what_may_be_more_than_a_draft_is_not(folder: Path, other: tuple[Change, str]) -> None:
    assert seen(folder, other, (Change.added, "cart.yaml")) is None


def test_a_file_that_is_deleted_is_looked_at(folder: Path) -> None:
    happened = (Change.deleted, "old.yaml"), (Change.added, "cart.yaml")
    found = {str(folder / "old.yaml"), str(folder / "cart.yaml")}
    assert seen(folder, *happened) == frozenset(found)


def test_drafts_alone_wake_nobody(folder: Path) -> None:
    found = Seen(lambda _: False)
    found.happened([(Change.added, str(folder / "4913")), (Change.deleted, str(folder / "4913"))])
    assert not found.wake.is_set()
