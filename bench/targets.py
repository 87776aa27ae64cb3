"""What Serai is to reach, and whether it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from bench.figures import Result

Results = Mapping[tuple[str, int], Result]
FEW, MANY, MOST = 1_000, 10_000, 50_000


class Target(NamedTuple):
    """A goal."""

    goal: str
    unit: str
    most: float
    """The largest value that meets it."""
    value: Callable[[Results], float | None]
    """None where it was not measured."""


def of(name: str, size: int, *path: str) -> Callable[[Results], float | None]:
    """A figure of a measurement; of several runs the median."""

    def value(results: Results) -> float | None:
        return figure(results, name, size, *path)

    return value


def figure(results: Results, name: str, size: int, *path: str) -> float | None:
    """A figure of a measurement, or None where there is none; of several runs the median."""
    found: object = results[name, size].figures if (name, size) in results else None
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, list):
        found = sorted(found)[(len(found) - 1) // 2] if found else None
    return float(found) if isinstance(found, int | float) else None


def _growth(name: str, *path: str) -> Callable[[Results], float | None]:
    def value(results: Results) -> float | None:
        few, most = (figure(results, name, size, *path) for size in (FEW, MOST))
        return round(most / few, 2) if few and most else None

    return value


def _envoys_growth(results: Results) -> float | None:
    before, after = (
        figure(results, "memory", MANY, when, "envoy") for when in ("before_mib", "after_mib")
    )
    return round((after / before - 1) * 100, 1) if before and after else None


def _largest(*path: str) -> Callable[[Results], float | None]:
    def value(results: Results) -> float | None:
        found = [figure(results, *key, *path) for key in results]
        return max((each for each in found if each is not None), default=None)

    return value


def failed(results: Results) -> float | None:
    """Requests that failed, in all measurements."""
    found = [each.figures["requests"]["failed"] for each in results.values() if _has(each)]
    return float(sum(found)) if found else None


def asked(results: Results) -> int:
    """Requests that were sent meanwhile."""
    return sum(each.figures["requests"]["asked"] for each in results.values() if _has(each))


def _has(result: Result) -> bool:
    return "requests" in result.figures


def _change(kind: str, size: int, percentile: str) -> Callable[[Results], float | None]:
    return of("one_change", size, "serai", kind, percentile)


def _changes() -> tuple[Target, ...]:
    goals: dict[str, tuple[str, float, float]] = {
        "endpoint": ("an endpoint changes", 4, 15),
        "route": ("a route changes", 4, 10),
        "policy": ("a policy changes", 6, 15),
        "add": ("a service is added", 15, 30),
    }
    found = []
    for kind, (goal, median, high) in goals.items():
        for name, limit in (("p50", median), ("p99", high)):
            value = _change(kind, MANY, name)
            found.append(Target(f"{goal}, 10,000 services, {name}", "ms", limit, value))
    for kind, most in (("endpoint", 5.2), ("route", 5.2), ("policy", 7.8), ("add", 45.0)):
        value = _change(kind, MOST, "p50")
        found.append(Target(f"{goals[kind][0]}, 50,000 services, p50", "ms", most, value))
    for kind in ("endpoint", "route", "policy"):
        goal = f"{goals[kind][0]}: 50,000 services against 1,000, p50"
        value = _growth("one_change", "serai", kind, "p50")
        found.append(Target(goal, "times", 1.3, value))
    return tuple(found)


TARGETS = (
    *_changes(),
    Target("bytes of an endpoint change", "B", 1_000, of("cpu", MANY, "endpoint", "bytes")),
    Target("bytes of a new service", "B", 1_000, of("cpu", MANY, "add", "most_bytes")),
    Target(
        "the core, one endpoint change", "µs", 60, of("cpu", MANY, "endpoint", "core_us", "p50")
    ),
    Target(
        "a storm of 1,000 changes, 10,000 services", "ms", 250, of("storm", MANY, "serai", "p50")
    ),
    Target("cold start, 10,000 services", "s", 5.5, of("cold_start", MANY, "ready_s")),
    Target("cold start, 50,000 services", "s", 35, of("cold_start", MOST, "ready_s")),
    Target("cold start from YAML, 10,000 services", "s", 7.5, of("from_files", MANY, "ready_s")),
    Target("memory of Serai, 10,000 services", "MiB", 180, of("from_files", MANY, "serai_mib")),
    Target("memory of Serai, 50,000 services", "MiB", 650, of("from_files", MOST, "serai_mib")),
    Target("memory of Envoy, 10,000 services", "MiB", 650, of("from_files", MANY, "envoy_mib")),
    Target("its growth by 1,000 changes", "%", 2, _envoys_growth),
    Target(
        "500 streams: the last has a change", "ms", 40, of("streams", MANY, "serai", "last", "p50")
    ),
    Target("CPU for each of them", "µs", 50, of("streams", MANY, "serai", "cpu_us_a_stream")),
    Target("longest garbage collection, CPU time", "ms", 5, _largest("gc_pause_ms")),
    Target("route probe at a gateway, mean", "ms", 8, of("route_probe", 0, "gateway", "mean")),
    Target("route probe at a gateway, max", "ms", 40, of("route_probe", 0, "gateway", "max")),
    Target("route probe at a waypoint, mean", "ms", 8, of("route_probe", 0, "waypoint", "mean")),
    Target("route probe at a waypoint, max", "ms", 40, of("route_probe", 0, "waypoint", "max")),
    Target("requests that failed during all of it", "", 0, failed),
)
