"""What is installed, as its two ways render it: the Helm chart and the kustomize bases."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "chart"
SPACE = "serai-system"

Objects = dict[tuple[str, str, str], dict[str, Any]]
"""By kind, namespace and name."""


def program(name: str) -> str:
    """Where helm or kubectl is; skips the test where it is nowhere."""
    folder = os.environ.get("KUBEBUILDER_ASSETS", "")
    found = shutil.which(name, path=folder or None) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is neither in KUBEBUILDER_ASSETS nor on PATH; see .ci/kube-assets")
    return found


@functools.cache
def helm(*values: str, release: str = "serai", space: str = SPACE) -> str:
    """The chart's manifests, with some values as ``--set`` takes them."""
    done = _template(*values, release=release, space=space)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*values: str) -> str:
    """What Helm says of values that it refuses."""
    done = _template(*values)
    assert done.returncode != 0, "nothing was wrong with them"
    return done.stderr


def _template(
    *values: str, release: str = "serai", space: str = SPACE
) -> subprocess.CompletedProcess[str]:
    given = [part for each in values for part in ("--set", each)]
    command = [program("helm"), "template", release, str(CHART), "--namespace", space, *given]
    # Whatever Kubernetes this helm was built for.
    return _run([*command, "--kube-version", "v1.37.2"])


@functools.cache
def kustomize(folder: str) -> str:
    """The manifests of a folder of deploy/."""
    done = _run([program("kubectl"), "kustomize", str(DEPLOY / folder)])
    assert done.returncode == 0, done.stderr
    return done.stdout


def _run(command: list[str], given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=given, capture_output=True, text=True, check=False, timeout=60
    )


def dry_run(manifests: str, kubeconfig: Path) -> str:
    """What a real API server says that would take them, and changes nothing."""
    options = ["--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict"]
    command = [program("kubectl"), "apply", "--kubeconfig", str(kubeconfig), *options, "-f", "-"]
    done = _run(command, manifests)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(manifests: str) -> Objects:
    """The objects, each once."""
    docs = [doc for doc in yaml.safe_load_all(manifests) if doc]
    found = {_key(doc): doc for doc in docs}
    assert len(found) == len(docs), "an object is there twice"
    return found


def _key(doc: dict[str, Any]) -> tuple[str, str, str]:
    meta = doc["metadata"]
    return doc["kind"], meta.get("namespace", ""), meta["name"]


def plain(found: Objects) -> Objects:
    """Without what only Helm says of an object, and with environments in the order of names."""
    return {key: _plain(doc) for key, doc in found.items() if key[0] != "Namespace"}


def _plain(doc: dict[str, Any]) -> dict[str, Any]:
    meta = dict(doc["metadata"])
    labels = {k: v for k, v in (meta.pop("labels", None) or {}).items() if not _of_helm(k)}
    for container in _pod(doc).get("containers", ()):
        if "env" in container:
            container["env"] = sorted(container["env"], key=lambda each: str(each["name"]))
    return {**doc, "metadata": {**meta, **({"labels": labels} if labels else {})}}


def _of_helm(label: str) -> bool:
    return label.startswith(("app.kubernetes.io/", "helm.sh/"))


def _pod(doc: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = doc.get("spec", {}).get("template", {}).get("spec", {})
    return found
