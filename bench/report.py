"""docs/performance.md from what was found: ``python -m bench.report`` measures nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from bench.changes import KINDS
from bench.figures import RESULTS, Machine, read
from bench.targets import TARGETS, Results, asked, failed, figure

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "performance"
ACCOUNT = Path(__file__).parent / "account.md"
"""What was learned from profiles; written by hand."""

SHOWN = {
    "endpoint": "an endpoint",
    "route": "a route",
    "policy": "a policy",
    "add": "a service added",
    "remove": "a service removed",
}
Cell = str | float | None


class Section:
    """A part of the page: a heading, the method, a picture, tables."""

    def __init__(self, title: str, module: str, picture: str = "") -> None:
        self.title, self.module, self.picture = title, module, picture

    def text(self, body: str, *, pictures: bool) -> str:
        """As Markdown."""
        parts = [f"## {self.title}"]
        if self.picture and pictures:
            parts.append(f"![{self.title}](performance/{self.picture}.svg)")
        parts += [body, f"How: {method(self.module)}"]
        return "\n\n".join(parts)


def method(module: str) -> str:
    """How it is measured, which is what the module says of itself."""
    paragraphs = (importlib.import_module(module).__doc__ or "").split("\n\n")
    said = (" ".join(each.split()) for each in paragraphs)
    return " ".join(said).replace("``", "`")


def table(titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table in Markdown; all but the first column are right-aligned."""
    lines = ["| " + " | ".join(titles) + " |", "|---" + "|--:" * (len(titles) - 1) + "|"]
    lines += ("| " + " | ".join(map(cell, row)) + " |" for row in rows)
    return "\n".join(lines)


def cell(value: Cell) -> str:
    """A figure with three digits that mean something; a dash where there is none."""
    match value:
        case None:
            return "-"
        case str():
            return value
        case int():
            return f"{value:,}"
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2  # noqa: PLR2004
    return f"{value:,.{digits}f}"


def one_change(results: Results, sizes: Sequence[int]) -> str:
    """Latencies until traffic shows it."""
    titles = (
        *("ms", "services", "n", "Serai p50", "p99", "max", "floor p50", "p99"),
        *("peers' shape p50", "max", "n"),
    )
    rows: list[Sequence[Cell]] = []
    for kind in KINDS:
        for size in sizes:
            ours, floor, naive = (
                partial(figure, results, "one_change", size, who, kind)
                for who in ("serai", "floor", "naive")
            )
            rows.append(
                (
                    *(SHOWN[kind], f"{size:,}", _count(ours("n")), ours("p50"), ours("p99")),
                    *(ours("max"), floor("p50"), floor("p99")),
                    *(naive("p50"), naive("max"), _count(naive("n"))),
                )
            )
    return table(titles, rows)


def _count(value: float | None) -> str | None:
    return None if value is None else f"{value:,.0f}"


def cost(results: Results, sizes: Sequence[int]) -> str:
    """CPU time, resources and bytes."""
    titles = (
        "one change",
        "services",
        "core p50 µs",
        "p99",
        "Serai µs",
        "Envoy µs",
        "resources",
        "bytes",
    )
    rows = [
        (
            SHOWN[kind] if kind != "add" else "a service added or removed",
            f"{size:,}",
            *(
                figure(results, "cpu", size, kind, *path)
                for path in (
                    *(("core_us", "p50"), ("core_us", "p99"), ("serai_us",)),
                    *(("envoy_us",), ("resources",), ("bytes",)),
                )
            ),
        )
        for kind in ("endpoint", "route", "policy", "add")
        for size in sizes
    ]
    return table(titles, rows)


def cold_start(results: Results, sizes: Sequence[int]) -> str:
    """Seconds."""
    titles = (
        *("services", "starts", "of Serai's core", "Serai ready", "floor ready"),
        *("peers' shape ready", "from YAML", "documents", "Serai's CPU"),
    )
    rows = []
    for size in sizes:
        cold = [
            figure(results, "cold_start", size, each)
            for each in ("core_s", "ready_s", "floor_s", "naive_s")
        ]
        result = results.get(("cold_start", size))
        starts = len(result.figures["ready_s"]) if result else 0
        files = [
            figure(results, "from_files", size, each)
            for each in ("ready_s", "documents", "serai_cpu_s")
        ]
        rows.append((f"{size:,}", starts, *cold, *files))
    return table(titles, rows)


def files(results: Results, sizes: Sequence[int]) -> str:
    """Milliseconds."""
    titles = (
        *("services", "files", "one saved, p50 ms", "p99", "one with a new service, p50 ms", "p99"),
    )
    paths = [(kind, each) for kind in ("saved", "made") for each in ("p50", "p99")]
    return table(
        titles,
        (
            (
                f"{size:,}",
                _count(figure(results, "from_files", size, "saved", "n")),
                *(figure(results, "from_files", size, *each) for each in paths),
            )
            for size in sizes
        ),
    )


def memory(results: Results, sizes: Sequence[int]) -> str:
    """MiB."""
    titles = (
        *("MiB at services", "Serai (`serai run`)", "its Envoy", "Envoy, peers' shape"),
        *("changes", "Serai grew by", "Envoy grew by"),
    )
    rows = []
    for size in sizes:
        grown = []
        for who in ("serai", "envoy"):
            before, after = (
                figure(results, "memory", size, when, who) for when in ("before_mib", "after_mib")
            )
            grown.append(None if before is None or after is None else round(after - before, 1))
        rows.append(
            (
                f"{size:,}",
                figure(results, "from_files", size, "serai_mib"),
                figure(results, "from_files", size, "envoy_mib"),
                figure(results, "cold_start", size, "envoy_mib", "naive"),
                _count(figure(results, "memory", size, "changes")),
                *grown,
            )
        )
    return table(titles, rows)


def storm(results: Results, sizes: Sequence[int]) -> str:
    """Milliseconds until the last is acknowledged."""
    titles = (
        *("services", "changes", "storms", "Serai p50 ms", "max"),
        *("floor, one response", "floor, one each"),
    )
    paths = (
        *(("changes",), ("serai", "n"), ("serai", "p50"), ("serai", "max")),
        *(("floor", "p50"), ("floor_one_by_one", "p50")),
    )
    rows = [
        (f"{size:,}", *(figure(results, "storm", size, *each) for each in paths)) for size in sizes
    ]
    return table(titles, rows)


def churn(results: Results, sizes: Sequence[int]) -> str:
    """What happened to a probe meanwhile."""
    titles = (
        *("services", "changes", "a second", "sent", "probes", "probe p50 ms", "p99", "max"),
        *("backlog, 1st half", "2nd half", "Serai cores", "Envoy cores"),
    )
    paths = (
        *(("told",), ("rate",), ("sent",), ("probe", "n"), ("probe", "p50"), ("probe", "p99")),
        *(("probe", "max"), ("backlog", "first_half_max"), ("backlog", "second_half_max")),
        *(("serai_cores",), ("envoy_cores",)),
    )
    rows = [
        (f"{size:,}", *(figure(results, "churn", size, *each) for each in paths)) for size in sizes
    ]
    return table(titles, rows)


def streams(results: Results, sizes: Sequence[int]) -> str:
    """Many proxies."""
    titles = (
        *(
            "services",
            "streams",
            "rounds",
            "Serai median ms",
            "last p50",
            "last max",
            "µs a stream",
        ),
        *("floor last p50", "µs a stream", "KiB a stream", "beside a slow one, last p50"),
        "MiB it cost",
    )
    paths = (
        *(
            ("streams",),
            ("serai", "last", "n"),
            ("serai", "median", "p50"),
            ("serai", "last", "p50"),
        ),
        *(("serai", "last", "max"), ("serai", "cpu_us_a_stream"), ("floor", "last", "p50")),
        *(("floor", "cpu_us_a_stream"), ("kib_a_stream",), ("with_a_slow_client", "last", "p50")),
        ("slow_client_mib",),
    )
    rows = [
        (f"{size:,}", *(figure(results, "streams", size, *each) for each in paths))
        for size in sizes
    ]
    return table(titles, rows)


def route_probe(results: Results, _: Sequence[int]) -> str:
    """Both places."""
    titles = ("at", "routes", "mean ms", "p99", "max", "first tenth", "last tenth", "errors")
    paths = (
        ("mean",),
        ("p99",),
        ("max",),
        ("first_tenth", "mean"),
        ("last_tenth", "mean"),
        ("errors",),
    )
    rows = [
        (
            f"a {where}",
            _count(figure(results, "route_probe", 0, "routes")),
            *(figure(results, "route_probe", 0, where, *each) for each in paths),
        )
        for where in ("gateway", "waypoint")
    ]
    published = (
        "That test's published figures are of other machines and with Kubernetes in the way:"
        " kgateway 75 ms mean and 237 ms max, Istio 212 and 825, Envoy Gateway 367 and 1,250 with"
        " 15,454 errors."
    )
    return f"{table(titles, rows)}\n\n{published}"


def requests(results: Results, _: Sequence[int]) -> str:
    """What became of the requests that went on meanwhile, and the collector's pauses."""
    titles = ("during", "services", "requests", "failed", "p50 ms", "p99 ms", "longest pause ms")
    rows = [
        (
            name,
            f"{size:,}",
            *(
                figure(results, name, size, *each)
                for each in (
                    *(("requests", "asked"), ("requests", "failed"), ("requests", "ms", "p50")),
                    *(("requests", "ms", "p99"), ("gc_pause_ms",)),
                )
            ),
        )
        for name, size in sorted(results)
        if "gc_pause_ms" in results[name, size].figures
    ]
    total = failed(results)
    said = f"Of {asked(results):,} requests {cell(total)} failed."
    return f"{said}\n\n{table(titles, rows)}"


def sovereign(results: Results, sizes: Sequence[int]) -> str:
    """Beside what Serai's core needs."""
    titles = (
        *("services", "Sovereign, Python, ms", "Sovereign, Jinja, ms"),
        *("Serai's core, one change, ms", "Serai's core, everything, ms"),
    )

    def row(size: int) -> Sequence[Cell]:
        python, jinja = (
            figure(results, "peers.sovereign", size, each) for each in ("python_s", "jinja_s")
        )
        one = figure(results, "cpu", size, "endpoint", "core_us", "p50")
        whole = figure(results, "cold_start", size, "core_s")
        return (f"{size:,}", _times(python), _times(jinja), _times(one, 0.001), _times(whole))

    return table(titles, map(row, sizes))


def _times(value: float | None, scale: float = 1000) -> float | None:
    return None if value is None else value * scale


def targets(results: Results) -> str:
    """Each goal, and whether it is met."""
    rows = []
    for each in TARGETS:
        value = each.value(results)
        met = "not measured" if value is None else "met" if value <= each.most else "**not met**"
        rows.append((each.goal, f"{cell(each.most)} {each.unit}".strip(), value, met))
    return table(("goal", "at most", "measured", ""), rows)


SECTIONS: tuple[tuple[Section, Callable[[Results, Sequence[int]], str]], ...] = (
    (Section("One change, until traffic shows it", "bench.one_change", "one_change"), one_change),
    (Section("What one change costs", "bench.cpu", "cpu"), cost),
    (Section("Cold start", "bench.cold_start", "cold_start"), cold_start),
    (Section("Files", "bench.from_files"), files),
    (Section("Memory", "bench.memory", "memory"), memory),
    (Section("A storm", "bench.storm"), storm),
    (Section("Churn", "bench.churn", "churn"), churn),
    (Section("Many proxies", "bench.streams"), streams),
    (Section("The route probe test", "bench.route_probe"), route_probe),
    (Section("Requests meanwhile, and pauses", "bench.load"), requests),
    (Section("Sovereign", "bench.peers.sovereign"), sovereign),
)


def head(machine: Machine) -> str:
    """What the page is, and where it was measured."""
    short = "" if machine.runs == "full" else "**Few runs only: read no percentile out of them.** "
    return f"""# Performance

`make bench` measures all of this in some 20 minutes and writes this page; `make bench-quick`
prints the tables for small sizes in two. `python -m bench.report` writes the page again from what
is kept in `bench/results`. No test asserts a time; `tests/unit/test_counts.py` holds the counts:
what each kind of change computes and sends, whatever the number of services.

{short}Measured {machine.date} at {machine.serai}: {machine.cores} cores of {machine.cpu},
{machine.memory_gib} GiB, Linux {machine.kernel}, Python {machine.python}, Envoy {machine.envoy};
the load was {machine.load} before it began. Everything shares those cores: Serai, its Envoy (two
workers), those who ask and those who answer; so a 99th percentile has all of their turns in it.

The world: every other service a Service, the rest ServiceEntries, one port and ten endpoints each;
every third has a route of its own, every tenth a policy. Serai is the product with every filter,
as it would run; the **floor** is the smallest server that sends the same bytes, made before the
clock starts ([floor.py](../bench/floor.py)); the **peers' shape** is one listener with a filter
chain for each port ([naive.py](../bench/peers/naive.py)), on the same Envoy with the same
bootstrap."""


def text(folder: Path, *, pictures: bool = True) -> str:
    """The page."""
    machine, results = read(folder)
    sizes = sorted({size for name, size in results if size})
    goals = (
        targets(results) if machine.runs == "full" else "Few runs judge none; `make bench` does."
    )
    parts = [head(machine), f"## Goals\n\n{goals}"]
    parts += (section.text(body(results, sizes), pictures=pictures) for section, body in SECTIONS)
    if ACCOUNT.exists():
        parts.append(ACCOUNT.read_text().strip())
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write the page and its pictures."""
    from bench.plots import draw  # noqa: PLC0415  # needs matplotlib, of the group bench

    PAGE.write_text(text(RESULTS))
    draw(PICTURES, read(RESULTS)[1])


if __name__ == "__main__":
    main()
