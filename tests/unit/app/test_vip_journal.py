"""The journal of VIPs gives back what was last written, whatever happened to the file."""

from __future__ import annotations

from pathlib import Path

from serai.api.meta import Key
from serai.app.vips import VipJournal
from serai.model.service import Address
from serai.model.vips import History, Vips

A, B = Key("ServiceEntry", "shop", "a"), Key("Service", "shop", "b")
ONE, TWO = (Address("127.80.0.1", "a.example"),), (Address("127.80.0.2"),)
LAST = {"127.80.0.0/16": "127.80.0.2"}


def written(path: Path) -> None:
    journal = VipJournal(path)
    assert journal.read() == History()
    journal.append({A: Vips(ONE), B: Vips(TWO)}, {"127.80.0.0/16": "127.80.0.1"})
    journal.append({A: None}, LAST)


def test_the_last_word_on_each_object_counts(tmp_path: Path) -> None:
    written(tmp_path / "vips")
    journal = VipJournal(tmp_path / "vips")
    assert journal.read() == History({B: TWO}, LAST)
    journal.compact()
    assert VipJournal(tmp_path / "vips").read() == History({B: TWO}, LAST)
    assert len((tmp_path / "vips").read_text().splitlines()) == 2


def test_what_a_crash_left_unfinished_costs_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "vips"
    written(path)
    with path.open("ab") as file:
        file.write(b'{"key": ["ServiceEntry", "sh\xff')
    journal = VipJournal(path)
    assert journal.read() == History({B: TWO}, LAST)
    journal.append({A: Vips(ONE)}, LAST)
    assert VipJournal(path).read() == History({A: ONE, B: TWO}, LAST)


def test_nothing_is_written_where_nothing_changed(tmp_path: Path) -> None:
    written(tmp_path / "vips")
    before = (tmp_path / "vips").read_bytes()
    journal = VipJournal(tmp_path / "vips")
    journal.read()
    journal.append({B: Vips(TWO)}, LAST)
    assert (tmp_path / "vips").read_bytes() == before
