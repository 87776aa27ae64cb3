"""Dependencies point down only, and what is heavy is imported where it is used."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from arch.source import CORE, ROOT, contracts, modules

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
