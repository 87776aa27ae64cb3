"""Figures, how they are summed up, and the files that they are kept in."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import psutil

Figures = dict[str, Any]

RESULTS = Path(__file__).parent / "results"


MEBIBYTE = 1024 * 1024


class Result(msgspec.Struct):
    """What one measurement found at one size."""

    name: str
    size: int
    figures: Figures
    took: float
    """Seconds."""
    load: float
    """The machine's load, over a minute, just before."""


class Machine(msgspec.Struct):
    """Where and when it was measured."""

    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    envoy: str
    serai: str
    """The commit."""
    date: str
    load: float
    """Over a minute, before the first measurement; 0 is a quiet machine."""
    runs: str = "full"


def summary(values: Iterable[float], scale: float = 1.0) -> Figures:
    """How many there are, their median, 99th percentile, mean and largest."""
    found = sorted(value * scale for value in values)
    if not found:
        return {"n": 0}
    return {
        "n": len(found),
        "p50": _short(statistics.median(found)),
        "p99": _short(found[min(len(found) - 1, len(found) * 99 // 100)]),
        "mean": _short(statistics.fmean(found)),
        "max": _short(found[-1]),
    }


def _short(value: float) -> float:
    """Three digits that mean something, and not less than hundredths."""
    return round(value, 2) if abs(value) < 100 else round(value, 1)  # noqa: PLR2004


def resident(process: psutil.Process | None = None) -> float:
    """MiB that a process has in memory; without one, this process."""
    return float((process or psutil.Process()).memory_info().rss) / MEBIBYTE


def machine_load() -> float:
    """Of the last minute."""
    return round(os.getloadavg()[0], 2)


def machine(envoy: str, commit: str, runs: str) -> Machine:
    """This one, now."""
    cpu = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return Machine(
        cpu=cpu,
        cores=psutil.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        envoy=envoy,
        serai=commit,
        date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        load=machine_load(),
        runs=runs,
    )


def keep(folder: Path, result: Result) -> None:
    """Write a result, in place of an earlier one."""
    _write(folder / f"{result.name}-{result.size}.json", result)


def keep_machine(folder: Path, found: Machine) -> None:
    """Write where it was measured."""
    _write(folder / "machine.json", found)


def forget(folder: Path) -> None:
    """Remove everything that was kept: all is measured anew."""
    for path in folder.glob("*.json"):
        path.unlink()


def read(folder: Path) -> tuple[Machine, dict[tuple[str, int], Result]]:
    """Everything that was kept, by measurement and size."""
    found = {}
    for path in sorted(folder.glob("*-*.json")):
        result = msgspec.json.decode(path.read_bytes(), type=Result)
        found[result.name, result.size] = result
    return msgspec.json.decode((folder / "machine.json").read_bytes(), type=Machine), found


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")
