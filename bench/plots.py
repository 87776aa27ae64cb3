"""The pictures of docs/performance.md: growth on logarithmic axes, as SVG with text as text.

Equal figures give equal files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter

from bench.report import SHOWN
from bench.targets import Results, figure

STYLE: Any = {
    "svg.hashsalt": "serai",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
}
COLOURS = {
    "endpoint": "#0072b2",
    "route": "#009e73",
    "policy": "#d55e00",
    "add": "#cc79a7",
    "remove": "#8c6d31",
    "serai": "#0072b2",
    "envoy": "#d55e00",
    "floor": "#777777",
    "naive": "#b22222",
}


def draw(folder: Path, results: Results) -> None:
    """Every picture, as ``NAME.svg``."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        _one_change(folder / "one_change.svg", results)
        _cpu(folder / "cpu.svg", results)
        _cold_start(folder / "cold_start.svg", results)
        _memory(folder / "memory.svg", results)
        _churn(folder / "churn.svg", results)


def _points(results: Results, name: str, *path: str) -> tuple[list[int], list[float]]:
    """Sizes, and a figure at each where there is one."""
    found = [
        (size, value)
        for each, size in sorted(results)
        if each == name and (value := figure(results, name, size, *path))
    ]
    return [size for size, _ in found], [value for _, value in found]


@contextmanager
def _picture(path: Path, columns: int = 1) -> Iterator[Sequence[Any]]:
    made, axes = plt.subplots(1, columns, figsize=(4.6 * columns, 3.4), squeeze=False)
    yield axes[0]
    made.tight_layout()
    made.savefig(path, metadata={"Date": None})
    plt.close(made)
    # So that files end as all of the repository do.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def _finish(axes: Any, title: str, unit: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel("services")
    axes.set_ylabel(unit)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axis.set_minor_formatter(NullFormatter())
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)


def _line(
    axes: Any, points: tuple[list[int], list[float]], label: str, colour: str, **more: Any
) -> None:
    if points[0]:
        axes.plot(*points, label=label, color=COLOURS[colour], marker="o", **more)


def _one_change(path: Path, results: Results) -> None:
    with _picture(path, 2) as (ours, theirs):
        for kind, shown in SHOWN.items():
            _line(ours, _points(results, "one_change", "serai", kind, "p50"), shown, kind)
            floor = _points(results, "one_change", "floor", kind, "p50")
            _line(ours, floor, "_floor", kind, linestyle=":", linewidth=1, markersize=2)
            _line(theirs, _points(results, "one_change", "naive", kind, "p50"), shown, kind)
        _finish(ours, "Serai, p50 (dotted: the floor)", "ms until traffic shows it")
        _finish(theirs, "One chain for each port, p50", "ms until traffic shows it")
        low = min(ours.get_ylim()[0], theirs.get_ylim()[0])
        high = max(ours.get_ylim()[1], theirs.get_ylim()[1])
        for axes in (ours, theirs):
            axes.set_ylim(low, high)


def _cpu(path: Path, results: Results) -> None:
    with _picture(path, 2) as (time, size):
        for kind in ("endpoint", "route", "policy", "add"):
            _line(time, _points(results, "cpu", kind, "core_us", "p50"), SHOWN[kind], kind)
            _line(size, _points(results, "cpu", kind, "bytes"), SHOWN[kind], kind)
        _finish(time, "Serai's core, p50", "µs for a change")
        _finish(size, "Bytes sent", "bytes for a change")
        size.set_ylim(10, 100_000)


def _cold_start(path: Path, results: Results) -> None:
    with _picture(path) as (axes,):
        _line(axes, _points(results, "cold_start", "ready_s"), "Serai", "serai")
        _line(
            axes,
            _points(results, "from_files", "ready_s"),
            "Serai, from YAML",
            "endpoint",
            linestyle="--",
        )
        _line(axes, _points(results, "cold_start", "floor_s"), "the floor", "floor", linestyle=":")
        _line(axes, _points(results, "cold_start", "naive_s"), "one chain for each port", "naive")
        _finish(axes, "Cold start", "s until Envoy answers")


def _memory(path: Path, results: Results) -> None:
    with _picture(path) as (axes,):
        _line(axes, _points(results, "from_files", "serai_mib"), "Serai", "serai")
        _line(axes, _points(results, "from_files", "envoy_mib"), "its Envoy", "envoy")
        naive = _points(results, "cold_start", "envoy_mib", "naive")
        _line(axes, naive, "Envoy, one chain for each port", "naive")
        _finish(axes, "Resident memory", "MiB")


def _churn(path: Path, results: Results) -> None:
    with _picture(path) as (axes,):
        for name, style in (("p50", "-"), ("p99", "--")):
            points = _points(results, "churn", "probe", name)
            _line(axes, points, f"during churn, {name}", "serai", linestyle=style)
        alone = _points(results, "one_change", "serai", "endpoint", "p50")
        _line(axes, alone, "alone, p50", "floor", linestyle=":")
        _finish(axes, "An endpoint change during churn", "ms until traffic shows it")
