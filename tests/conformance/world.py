"""What a cluster would make of a test's manifests: the part of the API server and of controllers.

Nothing here knows a test by name.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
from pathlib import Path
from typing import Any

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


class Network:
    """Loopback addresses that nobody else on this machine uses, most likely."""

    def __init__(self) -> None:
        self._net = f"127.{random.randrange(10, 70)}.{random.randrange(1, 250)}"
        self._pods: dict[str, str] = {}
        self._gateways = f"127.{random.randrange(10, 70)}.{random.randrange(1, 250)}"

    def pod(self, name: str) -> str:
        """The address of a pod; the same whenever it is asked for."""
        return self._pods.setdefault(name, f"{self._net}.{len(self._pods) + 1}")

    def gateway(self, number: int) -> str:
        """The address of a test's Gateway."""
        return f"{self._gateways}.{number + 1}"


class World:
    """The objects of one test, written into a folder; edits count generations."""

    def __init__(self, manifests: list[Object], network: Network, folder: Path) -> None:
        self.network = network
        self._folder = folder
        self._written: dict[str, str] = {}
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.pods: dict[tuple[str, str], list[tuple[str, str]]] = {}
        """By Deployment (namespace, name): the names and addresses of its pods."""
        self.deployments: list[Object] = []
        self._vips = 0
        gateway_class = {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": CLASS},
            "spec": {"controllerName": CONTROLLER},
        }
        for obj in (gateway_class, *programmatic(), *manifests):
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
        """Write what is other than before, each file whole or not at all."""
        for key, obj in self.objects.items():
            name = hashlib.sha256("/".join(key).encode()).hexdigest()[:16] + ".yaml"
            text = json.dumps(obj)
            if self._written.get(name) != text:
                draft = self._folder / f".{name}.tmp"
                draft.write_text(text)
                draft.replace(self._folder / name)
                self._written[name] = text
        wanted = {
            hashlib.sha256("/".join(key).encode()).hexdigest()[:16] + ".yaml"
            for key in self.objects
        }
        for name in self._written.keys() - wanted:
            (self._folder / name).unlink()
            del self._written[name]

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
