"""What all tests have in common: the option to rewrite what cases expect."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from conformance import summary
from conformance.data import DATA

# A busy machine is no reason to fail.
PATIENT = (HealthCheck.too_slow,)
settings.register_profile("ci", derandomize=True, suppress_health_check=PATIENT)
if os.environ.get("CI"):
    # A change is judged by what it changes; new examples are looked for where people work.
    settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of ours."""
    parser.addoption("--update", action="store_true", help="rewrite expected/ of the cases")
    parser.addoption("--in-cluster", action="store_true", help="all of the suite in a cluster too")
    parser.addoption("--conformance-report", help="write the result of tests/conformance there")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A port that was free may be another's by the time an Envoy or etcd binds it: try again."""
    for item in items:
        if {"live", "kube"} & set(item.path.parts) or item.path.name == "test_in_cluster.py":
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=0.5))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much of the conformance suite passes, where it was replayed."""
    results = {
        each.nodeid.rpartition("[")[2].removesuffix("]"): (outcome, getattr(each, "wasxfail", ""))
        for outcome in ("passed", "failed", "skipped", "xfailed")
        for each in terminalreporter.stats.get(outcome, ())
        if "test_conformance.py" in each.nodeid
    }
    if not results or not DATA.is_dir():
        return
    terminalreporter.section("Gateway API conformance")
    for line in summary.lines(results):
        terminalreporter.write_line(line)
    report = terminalreporter.config.getoption("--conformance-report")
    if report:
        Path(report).write_text(summary.document(results))
