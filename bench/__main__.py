"""``python -m bench``: measure everything, keep what is found, and write docs/performance.md.

Each size runs in a process of its own, and what it finds is kept as soon as it is there: after an
interruption ``--missing`` goes on with the rest.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench import figures, report
from bench.figures import RESULTS, Result
from bench.plan import MEASUREMENTS, RUNS, Measurement, Runs
from bench.product import binary

NO_SIZE = 0
"""Of what is measured at no particular number of services."""


def main() -> None:
    """Measure, and write the page; with --quick print it."""
    asked = _arguments()
    runs = RUNS[asked.runs]
    folder = _folder(asked.into, asked.runs)
    began = time.monotonic()
    if not (asked.missing and _are_of(folder, asked.runs)):
        if not (asked.only or asked.sizes):
            figures.forget(folder)
        machine = figures.machine(binary().version, _commit(), asked.runs)
        figures.keep_machine(folder, machine)
    for size, names in _wanted(runs, asked.sizes, asked.only):
        _measure(folder, size, names, asked.runs, missing=asked.missing)
    told(f"measured in {time.monotonic() - began:.0f} s; what was found is in {folder}")
    if folder == RESULTS:
        report.main()
    else:
        print(report.text(folder, pictures=False))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--missing", action="store_true", help="only what is not there yet")
    parser.add_argument("--runs", choices=sorted(RUNS), default="full")
    parser.add_argument("--into", help="a folder for what is found", default="")
    parser.add_argument("--sizes", help="such as 100,1000", default="")
    parser.add_argument("--only", help="measurements, such as storm,churn", default="")
    return parser.parse_args()


def _folder(into: str, runs: str) -> Path:
    """Where results are kept: in the repository only those of full runs."""
    if into:
        return Path(into)
    return RESULTS if runs == "full" else Path(tempfile.mkdtemp(prefix="serai-bench-"))


def _are_of(folder: Path, runs: str) -> bool:
    """Whether what is kept there is of such runs, so that one can go on with it."""
    return (folder / "machine.json").exists() and figures.read(folder)[0].runs == runs


def _wanted(runs: Runs, sizes: str, only: str) -> Iterator[tuple[int, list[Measurement]]]:
    """What to run together: a stage of each size, then each of the others by itself."""
    chosen = set(only.split(",")) if only else {each.name for each in MEASUREMENTS}
    numbers = [int(each) for each in sizes.split(",")] if sizes else list(runs.sizes)
    for size in numbers:
        yield size, [each for each in MEASUREMENTS if each.staged and each.name in chosen]
        for _ in range(runs.starts.get(size, 0) if "cold_start" in chosen else 0):
            yield size, [each for each in MEASUREMENTS if each.name == "cold_start"]
    for each in MEASUREMENTS:
        if not each.staged and each.name in chosen:
            for size in (NO_SIZE,) if each.sizes == (NO_SIZE,) else numbers:
                yield size, [each]


_measured: set[tuple[str, int]] = set()
"""In this run."""


def _measure(
    folder: Path, size: int, wanted: list[Measurement], runs: str, *, missing: bool
) -> None:
    there = {
        each.name
        for each in wanted
        if missing
        and (each.name, size) not in _measured
        and (folder / f"{each.name}-{size}.json").exists()
    }
    names = [each.name for each in wanted if each.name not in there]
    if not names:
        return
    if wanted[0].staged:
        command = ("bench.stage", str(size), runs, *names)
    else:
        told(f"{size or '':>6} {'services' if size else '        '}  {names[0]}")
        command = (wanted[0].module, str(size), runs)
    with subprocess.Popen((sys.executable, "-m", *command), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101  # it has a pipe
        for line in process.stdout:
            _keep(folder, msgspec.json.decode(line, type=Result))
    if process.returncode:
        told(f"{size} services: ended with {process.returncode}; --missing tries it again")


def _keep(folder: Path, found: Result) -> None:
    """Keep a result; of cold starts all that were made in this run."""
    path = folder / f"{found.name}-{found.size}.json"
    if found.name == "cold_start" and (found.name, found.size) in _measured:
        before = msgspec.json.decode(path.read_bytes(), type=Result).figures
        for key, value in before.items():
            if isinstance(value, list):
                found.figures[key] = value + found.figures[key]
    _measured.add((found.name, found.size))
    figures.keep(folder, found)


def _commit() -> str:
    done = subprocess.run(
        ("git", "describe", "--always", "--dirty"),  # noqa: S607
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def told(text: str) -> None:
    """Say how far it is."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
