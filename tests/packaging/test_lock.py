"""The lock is of these dependencies, and of no machine in particular."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def load(name: str) -> dict[str, Any]:
    """A TOML file of the project."""
    return tomllib.loads((ROOT / name).read_text())


def locked() -> dict[str, dict[str, Any]]:
    """The packages of the lock by name."""
    return {package["name"]: package for package in load("uv.lock")["package"]}


def told(entries: list[dict[str, str]]) -> set[tuple[str, SpecifierSet]]:
    """Requirements in the lock: name and versions."""
    return {(entry["name"], SpecifierSet(entry.get("specifier", ""))) for entry in entries}


def asked(requirements: list[str]) -> set[tuple[str, SpecifierSet]]:
    """Requirements in pyproject.toml: name and versions."""
    parsed = map(Requirement, requirements)
    return {(canonicalize_name(one.name), one.specifier) for one in parsed}


def test_the_lock_is_of_what_pyproject_asks_for() -> None:
    project = load("pyproject.toml")
    metadata = locked()["serai"]["metadata"]

    assert told(metadata["requires-dist"]) == asked(project["project"]["dependencies"])
    development = project["dependency-groups"]["dev"]
    assert told(metadata["requires-dev"]["dev"]) == asked(development)


def test_everything_comes_from_one_public_index() -> None:
    sources = {str(package["source"]) for package in locked().values()}

    assert len(sources) == 2, "Serai itself, and the index"
    assert str({"editable": "."}) in sources
    text = (ROOT / "uv.lock").read_text()
    assert "file:" not in text
    assert not re.search(r'path = "|"/', text)


def test_what_overwrites_other_packages_is_not_installed() -> None:
    assert "xds-protos" not in locked()
