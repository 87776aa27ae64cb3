"""What deploy/ has, put into a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from serai.kube.access import Access
from serai.kube.resource import Resource
from serai.kube.wire import Name

BASE = Path(__file__).parents[2] / "deploy" / "base"


SPACE = "serai-system"


def manifests(folder: Path = BASE) -> list[dict[str, Any]]:
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    files = [folder / name for name in listed if (folder / name).is_file()]
    return [doc for file in files for doc in yaml.safe_load_all(file.read_text())]


async def install(admin: Access, folder: Path = BASE) -> None:
    """Apply everything; a field that the API server does not know is an error."""
    served = (await admin.discover()).served
    for doc in manifests(folder):
        group, _, version = doc["apiVersion"].rpartition("/")
        (kind,) = (each for each in served[group, version] if each.kind == doc["kind"])
        resource = Resource(group, version, kind.plural, kind.kind)
        name = Name(doc["metadata"].get("namespace", ""), doc["metadata"]["name"])
        await admin._write(
            "PATCH",
            resource.path(name),
            doc,
            "application/apply-patch+yaml",
            {"fieldManager": "test", "force": "true", "fieldValidation": "Strict"},
        )


async def token(admin: Access, account: str = "serai-controller") -> str:
    """Of the ServiceAccount that the controller, or another, runs as."""
    path = f"/api/v1/namespaces/{SPACE}/serviceaccounts/{account}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = await admin._write("POST", path, body)
    return str(answer["status"]["token"])
