"""Every command prints exactly what its transcript says.  UPDATE=1 writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.transcripts import WORLDS, replay

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_a_transcript_is_still_true(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(WORLDS)
    for name in [name for name in os.environ if name.startswith("SERAI_")]:
        monkeypatch.delenv(name)
    written = path.read_text()

    now = replay(written)

    if os.environ.get("UPDATE"):
        path.write_text(now)
    assert now == written or os.environ.get("UPDATE")
