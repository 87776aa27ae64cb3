"""What tests share is in modules of its own, where the next one looks for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from arch.source import ROOT

ONCE_MORE = {("live/test_divided_cases.py", "live.test_cases")}
"""Who runs another's tests over again, on purpose."""


def taken(text: str) -> Iterator[str]:
    """The modules of tests that a file imports from."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.ImportFrom(module=str(module)):
                yield from (each for each in _names(module, node) if _is_of_tests(each))
            case ast.Import():
                yield from (each.name for each in node.names if _is_of_tests(each.name))


def _names(module: str, node: ast.ImportFrom) -> list[str]:
    return [module, *(f"{module}.{each.name}" for each in node.names if each.name != "test_case")]


def _is_of_tests(module: str) -> bool:
    return module.rpartition(".")[2].startswith("test_")


def test_none_imports_from_another() -> None:
    tests = ROOT / "tests"
    found = {
        (str(path.relative_to(tests)), module)
        for path in tests.rglob("*.py")
        for module in taken(path.read_text())
    }

    assert found == ONCE_MORE


def test_such_imports_are_found() -> None:
    for text in ("from live.test_x import y", "import live.test_x", "from live import test_x"):
        assert list(taken(text)) == ["live.test_x"]
    assert list(taken("from live.serving import tested")) == []
