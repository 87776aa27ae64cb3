"""The suite of measurements runs whole at a tiny size, and its page can be made of what it finds.

No time is asserted: only that everything that is to be measured is there.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bench import report
from bench.figures import RESULTS, read
from bench.plan import MEASUREMENTS, TINY
from bench.targets import TARGETS

ROOT = Path(report.__file__).parent.parent
PATIENCE = 280.0
"""Seconds; half a minute is enough where nothing else runs."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the suite finds, without the peer that would have to be installed."""
    folder = tmp_path_factory.mktemp("results")
    only = ",".join(each.name for each in MEASUREMENTS if each.name != "peers.sovereign")
    command = (sys.executable, "-m", "bench", "--runs", "tiny", "--only", only)
    subprocess.run((*command, "--into", str(folder)), cwd=ROOT, check=True, timeout=PATIENCE)
    return folder


@pytest.mark.live
@pytest.mark.slow
def test_everything_is_measured_and_nothing_fails_meanwhile(found: Path) -> None:
    _, results = read(found)
    wanted = {each.name for each in MEASUREMENTS} - {"peers.sovereign"}
    assert {name for name, _ in results} == wanted
    for (name, _), result in results.items():
        assert result.figures.get("requests", {}).get("failed", 0) == 0, name
    changes = results["one_change", TINY.sizes[0]].figures
    for who in ("serai", "floor", "naive"):
        for kind in ("endpoint", "route", "policy", "add", "remove"):
            assert changes[who][kind]["n"] > 0
    assert all(changes["serai"][kind]["errors"] == 0 for kind in ("endpoint", "route", "policy"))


@pytest.mark.live
@pytest.mark.slow
def test_the_page_is_made_of_what_was_found(found: Path) -> None:
    page = report.text(found)
    assert page.startswith("# Performance\n")
    for section, _ in report.SECTIONS:
        assert f"## {section.title}\n" in page
        assert f"How: {report.method(section.module)}" in page
    assert page == report.text(found)


@pytest.mark.live
@pytest.mark.slow
def test_the_pictures_are_the_same_each_time(found: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="draws for `make bench` only")
    from bench.plots import draw  # noqa: PLC0415  # needs it

    drawn = []
    for name in ("one", "other"):
        draw(tmp_path / name, read(found)[1])
        drawn.append({each.name: each.read_bytes() for each in (tmp_path / name).iterdir()})
    assert drawn[0] == drawn[1]
    wanted = {f"{section.picture}.svg" for section, _ in report.SECTIONS if section.picture}
    assert drawn[0].keys() == wanted


def test_the_kept_page_is_made_of_the_kept_results() -> None:
    """Whoever changes the one has to write the other again: python -m bench.report."""
    if not report.PAGE.exists():
        pytest.skip("nothing was measured yet")
    assert report.PAGE.read_text() == report.text(RESULTS)
    for picture in re.findall(r"\]\(performance/(\w+\.svg)\)", report.PAGE.read_text()):
        assert (report.PICTURES / picture).is_file()


def test_every_goal_says_what_it_is_measured_by() -> None:
    """What was not measured is told as such, not as met."""
    assert all(target.value({}) is None for target in TARGETS)
    assert report.targets({}).count("not measured") == len(TARGETS)
