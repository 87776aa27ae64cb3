"""The images of controller and proxy: their steps carried out, and what comes of them started."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from images.containerfile import Build, ignored, stages
from serai.envoy.bootstrap import HostPort
from serai.envoy.pod_bootstrap import pod_bootstrap
from serai.kube.deployment import USER

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "images" / "Containerfile"
STAGES = stages(FILE.read_text())
USERS = f"{USER}:{USER}"


def test_a_linter_finds_nothing() -> None:
    linter = str(Path(sys.executable).with_name("hadolint"))
    done = subprocess.run([linter, str(FILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_both_run_as_nobody_who_is_root() -> None:
    for name in ("controller", "proxy"):
        assert STAGES[name].last("USER").text == USERS
        # As a list: no shell between the kubelet and the program, whom signals reach.
        assert STAGES[name].last("ENTRYPOINT").text.startswith("[")


def test_they_are_of_this_version_and_of_locked_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in ("controller", "proxy"):
        labels = STAGES[name].last("LABEL").pairs()
        assert labels["org.opencontainers.image.version"] == project["version"]
    assert STAGES["proxy"].image == "scratch"
    for step in STAGES["installed"].all("RUN"):
        assert "uv==" in step.text or "--frozen" in step.text


def test_what_is_not_needed_is_not_sent_to_the_builder() -> None:
    for name in ("src/serai/cli/main.py", "uv.lock", "examples/quickstart/cart.yaml"):
        assert not ignored(ROOT, Path(name)), name
    for name in (".git/config", "tests/conftest.py", "src/serai/cli/__pycache__/main.pyc"):
        assert ignored(ROOT, Path(name)), name
    assert (ROOT / ".dockerignore").read_text() == (ROOT / ".containerignore").read_text()


def cannot() -> str:
    """Why the steps cannot be carried out here; empty if they can."""
    for name in ("unshare", "chroot", "ldd"):
        if shutil.which(name) is None:
            return f"there is no {name} here"
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "--bind", "/tmp", "/opt"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else "no mount namespaces can be made here: not root?"


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Both stages that install something, carried out."""
    if reason := cannot():
        pytest.skip(reason)
    build = Build(tmp_path_factory.mktemp("image") / "opt", ROOT)
    build.base(sys.executable)
    build.carry_out(STAGES["installed"])
    build.carry_out(STAGES["bare"])
    return build


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_controller_starts_from_what_is_installed(build: Build) -> None:
    (entry,) = STAGES["controller"].last("ENTRYPOINT").words()
    build.environment |= {"PYTHONDONTWRITEBYTECODE": "1"}
    said = build.run(entry, "version")
    assert "serai   0.1.0" in said
    assert "envoy   1.40.0" in said
    (command,) = STAGES["controller"].last("CMD").words()
    assert "Serve the Gateways of a Kubernetes cluster" in build.run(entry, command, "--help")
    # Nothing of it is where it was built from.
    where = build.run("/opt/serai/bin/python", "-c", "import serai; print(serai.__file__)")
    assert where.startswith("/opt/serai/lib/")
    assert "No module named 'pytest'" in build.run(
        "/opt/serai/bin/python", "-c", "import pytest", check=False
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_proxy_starts_where_there_is_nothing_else(build: Build) -> None:
    (entry,) = STAGES["proxy"].last("ENTRYPOINT").words()
    _, path = STAGES["proxy"].last("CMD").words()
    bootstrap = build.folder / "bare" / path.lstrip("/")
    bootstrap.parent.mkdir(parents=True, exist_ok=True)
    bootstrap.write_text(pod_bootstrap("shop/edge", HostPort("serai.serai-system.svc", 18000)))
    inside = ["chroot", f"--userspec={USERS}", "/opt/bare"]
    said = build.run(*inside, entry, "--mode", "validate", "-c", path, "--service-node", "a")
    assert "configuration '/etc/envoy/bootstrap.json' OK" in said
    assert not list((build.folder / "bare").rglob("sh")), "a shell"
    files = [each for each in (build.folder / "bare").rglob("*") if each.is_file()]
    assert len(files) < 12, files
