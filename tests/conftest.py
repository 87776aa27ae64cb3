"""What all tests have in common: the option to rewrite what cases expect."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    # A change is judged by what it changes; new examples are looked for where people work.
    settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update`` rewrites expected/ of the cases from what is."""
    parser.addoption("--update", action="store_true", help="rewrite expected/ of the cases")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A port that was free may be another process's by the time an Envoy binds it: try again."""
    for item in items:
        if "live" in item.path.parts:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=0.5))
