"""What all tests have in common: the option to rewrite what cases expect."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update`` rewrites expected/ of the cases from what is."""
    parser.addoption("--update", action="store_true", help="rewrite expected/ of the cases")
