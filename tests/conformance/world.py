"""What a cluster would make of a test's manifests: the part of the API server and of controllers.

Nothing here knows a test by name.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from conformance.certificates import programmatic

CLASS, CONTROLLER = "serai", "serai.dev/gateway-controller"
MESH = "gateway-conformance-mesh"
WAYPOINT = "waypoint"
WAYPOINT_PORT = 15088
UNUSABLE = "192.0.2.1"
"""No address of any machine (RFC 5737)."""
_FIRST, _LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"

Object = dict[str, Any]


def key_of(obj: Object) -> tuple[str, str, str]:
    """Kind, namespace, name."""
    metadata = obj["metadata"]
    return obj["kind"], metadata.get("namespace", ""), metadata["name"]


class Keep(Protocol):
    """Where a world's objects are kept for Serai to read."""

    def keep(self, objects: Mapping[tuple[str, str, str], Object]) -> None:
        """These are all there are.  What only a cluster knows of them is written into them."""


class Folder:
    """Objects in files, each written whole or not at all when it is other than before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: dict[str, str] = {}

    def keep(self, objects: Mapping[tuple[str, str, str], Object]) -> None:
        """Write what is new or other than before; delete what is gone."""
        wanted = {_file(key): json.dumps(obj) for key, obj in objects.items()}
        for name, text in wanted.items():
            if self._written.get(name) != text:
                draft = self._path / f".{name}.tmp"
                draft.write_text(text)
                draft.replace(self._path / name)
        for name in self._written.keys() - wanted.keys():
            (self._path / name).unlink()
        self._written = wanted


def _file(key: tuple[str, str, str]) -> str:
    return hashlib.sha256("/".join(key).encode()).hexdigest()[:16] + ".yaml"


class Network:
    """Addresses that nobody else on this machine uses, most likely; on loopback by default."""

    def __init__(self, pods: str = "", gateways: str = "") -> None:
        """What the addresses of Pods and Gateways begin with, as in ``10.97.1``."""
        self._net = pods or f"127.{random.randrange(10, 70)}.{random.randrange(1, 250)}"
        self._pods: dict[str, str] = {}
        self._gateways = gateways or f"127.{random.randrange(10, 70)}.{random.randrange(1, 250)}"

    def pod(self, name: str) -> str:
        """The address of a pod; the same whenever it is asked for."""
        return self._pods.setdefault(name, f"{self._net}.{len(self._pods) + 1}")

    def gateway(self, number: int) -> str:
        """The address of a test's Gateway."""
        return f"{self._gateways}.{number + 1}"


class World:
    """The objects of one test; edits count generations."""

    def __init__(self, manifests: list[Object], network: Network, where: Keep) -> None:
        self.network = network
        self._where = where
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.pods: dict[tuple[str, str], list[tuple[str, str]]] = {}
        """By Deployment (namespace, name): the names and addresses of its pods."""
        self.deployments: list[Object] = []
        self._vips = 0
        for obj in (_class(CLASS), *programmatic(), *manifests):
            self._add(copy.deepcopy(obj), _FIRST)
        self._mesh()
        self.write()

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """An object."""
        return self.objects[kind, namespace, name]

    def apply(self, obj: Object) -> None:
        """Create or replace an object, after all others."""
        self._add(copy.deepcopy(obj), _LATER)
        self.write()

    def delete(self, obj: Object) -> None:
        """Delete an object."""
        del self.objects[key_of(obj)]
        self.write()

    def edited(self, obj: Object) -> None:
        """Say that an object's spec is another."""
        obj["metadata"]["generation"] += 1
        self.write()

    def addresses(self) -> dict[str, tuple[str, ...]]:
        """By Gateway (``namespace/name``): the address of its own."""
        keys = sorted(key for key in self.objects if key[0] == "Gateway")
        return {
            f"{namespace}/{name}": (self.network.gateway(number),)
            for number, (_, namespace, name) in enumerate(keys)
        }

    def write(self) -> None:
        """Have what is other than before read."""
        self._where.keep(self.objects)

    def _add(self, obj: Object, created: str) -> None:
        text = json.dumps(obj)
        text = text.replace("{GATEWAY_CLASS_NAME}", CLASS).replace(
            "{GATEWAY_CONTROLLER_NAME}", CONTROLLER
        )
        text = text.replace("PLACEHOLDER_UNUSABLE_ADDRS", UNUSABLE)
        text = text.replace("PLACEHOLDER_USABLE_ADDRS", self.network.gateway(100))
        obj = json.loads(text)
        obj["metadata"].update(generation=1, creationTimestamp=created)
        if obj["kind"] == "Deployment":
            self._deploy(obj)
            return
        if obj["kind"] == "Service" and not obj["spec"].get("clusterIP"):
            self._vips += 1
            obj["spec"]["clusterIP"] = f"10.96.0.{self._vips}"
        self.objects[key_of(obj)] = obj

    def _deploy(self, deployment: Object) -> None:
        namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        template = deployment["spec"]["template"]
        hashed = hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()
        for number in range(deployment["spec"].get("replicas", 1)):
            pod = f"{name}-{hashed[:8]}-{hashed[8 + number : 13 + number]}"
            address = self.network.pod(f"{namespace}/{pod}")
            self.pods.setdefault((namespace, name), []).append((pod, address))
            metadata = {
                "namespace": namespace,
                "name": pod,
                "labels": template["metadata"]["labels"],
                "generation": 1,
                "creationTimestamp": _FIRST,
            }
            self.objects["Pod", namespace, pod] = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": template["spec"],
                "status": {
                    "phase": "Running",
                    "podIP": address,
                    "podIPs": [{"ip": address}],
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            }
        self.deployments.append(deployment)

    def _mesh(self) -> None:
        """Put the mesh's services behind a waypoint, as who installs the mesh does."""
        namespace = self.objects.get(("Namespace", "", MESH))
        if namespace is None:
            return
        namespace["metadata"]["labels"]["istio.io/use-waypoint"] = WAYPOINT
        self._add(_class("serai-waypoint"), _FIRST)
        self._add(
            {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "Gateway",
                "metadata": {"namespace": MESH, "name": WAYPOINT},
                "spec": {
                    "gatewayClassName": "serai-waypoint",
                    "listeners": [
                        {"name": "mesh", "port": WAYPOINT_PORT, "protocol": "istio.io/PROXY"}
                    ],
                },
            },
            _FIRST,
        )


def _class(name: str) -> Object:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": name},
        "spec": {"controllerName": CONTROLLER},
    }
