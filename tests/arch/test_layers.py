"""Dependencies point down only, and what is heavy is imported where it is used."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from arch.source import CORE, ROOT, contracts, imports, modules

HEAVY = ("grpc", "starlette", "uvicorn", "structlog", "watchfiles", "httpx2", "lightkube")


def test_the_contracts_of_import_linter_are_kept() -> None:
    lint = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run(
        [lint, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_has_its_layer() -> None:
    layers = set(re.findall(r"serai\.(\w+)", " ".join(contracts()["layers"]["layers"])))

    packages = {module.path.parts[1] for module in modules() if len(module.path.parts) > 2}

    assert packages <= layers, f"pyproject.toml gives no layer to {packages - layers}"


def test_the_contract_of_the_core_covers_the_core() -> None:
    assert {f"serai.{name}.**" for name in CORE} == set(contracts()["forbidden"]["source_modules"])


def test_every_package_that_is_imported_is_asked_for() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = {canonicalize_name(Requirement(r).name) for r in settings["project"]["dependencies"]}
    brought_by = packages_distributions()
    known = sys.stdlib_module_names | {"serai"}

    missing = {
        module.at(line): name
        for module in modules()
        for line, name in imports(module.tree)
        if (top := name.split(".")[0]) not in known
        and asked.isdisjoint(map(canonicalize_name, brought_by.get(top, [])))
    }

    assert missing == {}, "pyproject.toml does not ask for these"


def test_help_imports_nothing_heavy() -> None:
    if not (ROOT / "src/serai/cli/main.py").exists():
        pytest.skip("there is no command line yet")
    program = f"""
import sys
from serai.cli.main import app
app(["--help"], standalone_mode=False)
print("heavy:", [name for name in {HEAVY!r} if name in sys.modules])
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy: []"
