"""Serai's own source, parsed, for the rules that hold over all of it."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"

CORE = frozenset(
    {
        "api",
        "attach",
        "backends",
        "check",
        "incremental",
        "ir",
        "listener_policies",
        "model",
        "policies",
        "proto",
        "status",
        "trace",
        "translate",
        "views",
        "xds",
    }
)
"""The packages that do no I/O."""

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A source file; `path` is below `src`."""

    path: Path
    text: str

    @property
    def tree(self) -> ast.Module:
        """The file, parsed."""
        return _parse(self.text)

    @property
    def name(self) -> str:
        """As it is imported."""
        return ".".join(self.path.with_suffix("").parts).removesuffix(".__init__")

    @property
    def is_core(self) -> bool:
        """Whether it is in a package that does no I/O."""
        return self.name.split(".")[1:2] != [] and self.name.split(".")[1] in CORE

    def at(self, line: int) -> str:
        """A line of the file, for a message."""
        return f"src/{self.path}:{line}"


@cache
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def modules() -> tuple[Module, ...]:
    """Every module of Serai, by path."""
    return tuple(
        Module(path.relative_to(SRC), path.read_text()) for path in sorted(SRC.rglob("*.py"))
    )


def definitions(tree: ast.AST) -> Iterator[Definition]:
    """Every class and function in a tree, nested ones included."""
    return (node for node in ast.walk(tree) if isinstance(node, Definition))


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every import in a tree, wherever it stands: line and module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


@cache
def contracts() -> dict[str, dict[str, Any]]:
    """import-linter's contracts in pyproject.toml, by type."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {c["type"]: c for c in settings["tool"]["importlinter"]["contracts"]}
