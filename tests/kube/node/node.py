"""A node, and the controllers beside it: Deployments, EndpointSlices, load balancers, owners."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

from kube.node.kubelet import Pod
from kube.node.network import Network
from serai.kube.access import MERGE_PATCH, Access, ApiError
from serai.kube.resource import Resource
from serai.kube.wire import Name

log = structlog.get_logger(__name__)

Json = dict[str, Any]

LOOK_SECONDS = 0.1
OURS = "app.kubernetes.io/managed-by=serai"
OWNER = "kubernetes.io/service-name"

GATEWAYS = Resource("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
PODS = Resource("", "v1", "pods", "Pod")
SERVICES = Resource("", "v1", "services", "Service")
SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
OWNED = (
    DEPLOYMENTS,
    SERVICES,
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "serviceaccounts", "ServiceAccount"),
)


class Node:
    """Brings about what Deployments of Serai and all Services say, until it is closed."""

    def __init__(self, access: Access, network: Network, envoy: Path, folder: Path) -> None:
        self._access = access
        self._network = network
        self._envoy = envoy
        self._folder = folder
        self.pods: dict[tuple[str, str], Pod] = {}
        """By uid of the Deployment, and hash of its template."""
        self._written: dict[str, bytes] = {}
        self._balanced = 0
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look again and again until cancelled; then all Pods end."""
        try:
            while True:
                try:
                    await self._look()
                except (ApiError, OSError, subprocess.SubprocessError, KeyError) as error:
                    # Something went meanwhile, or the server is away.
                    log.info("node.again", error=repr(error))
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for pod in self.pods.values():
                await pod.stop(grace=0)

    def space(self, namespace: str, name: str) -> str:
        """The network namespace of a Deployment's Pod; empty if it has none."""
        found = [
            each.space
            for each in self.pods.values()
            if each.name.namespace == namespace and each.name.name.startswith(f"{name}-")
        ]
        return found[-1] if found else ""

    async def _look(self) -> None:
        await self._collect()
        await self._deploy()
        pods = await self._list(PODS)
        for service in await self._list(SERVICES):
            if service["spec"].get("selector"):
                await self._lead(service, pods)

    async def _list(self, resource: Resource, selector: str = "") -> list[Json]:
        found = await self._access.get(resource.path(), {"labelSelector": selector})
        return list(msgspec.json.decode(found)["items"])

    async def _collect(self) -> None:
        """Delete what belongs to Gateways that are gone."""
        # The owned first: a Gateway made between the two would seem to be gone.
        owned = [(each, await self._list(each, OURS)) for each in OWNED]
        alive = {each["metadata"]["uid"] for each in await self._list(GATEWAYS)}
        for resource, found in owned:
            for each in found:
                owners = [owner["uid"] for owner in each["metadata"].get("ownerReferences", ())]
                if owners and not alive.intersection(owners):
                    await self._access.delete(resource, _name(each), each["metadata"]["uid"])

    async def _deploy(self) -> None:
        """One Pod for each template; the one before it ends when the new one is ready."""
        wanted = {}
        for each in await self._list(DEPLOYMENTS, OURS):
            template = msgspec.json.encode(each["spec"]["template"], order="sorted")
            key = each["metadata"]["uid"], hashlib.sha256(template).hexdigest()[:10]
            wanted[key] = each
        for key, deployment in wanted.items():
            if key not in self.pods:
                self.pods[key] = await self._start(deployment, key[1])
            await self._report(self.pods[key])
        ready = {uid for uid, digest in wanted if self._is_ready(self.pods[uid, digest])}
        for key in self.pods.keys() - wanted.keys():
            if key[0] in ready or all(key[0] != uid for uid, _ in wanted):
                await self._end(self.pods.pop(key))

    async def _start(self, deployment: Json, digest: str) -> Pod:
        namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        template = deployment["spec"]["template"]
        metadata = {**template["metadata"], "name": f"{name}-{digest}"}
        made = await self._access.create(
            PODS, namespace, {"metadata": metadata, "spec": template["spec"]}
        )
        pod = Pod(made, self._network, self._folder)
        try:
            await pod.start(self._access, self._envoy)
        except BaseException:
            # What it mounts may come yet; it is started anew then, as by a ReplicaSet.
            await self._access.delete(PODS, pod.name)
            await pod.stop(grace=0)
            raise
        return pod

    async def _end(self, pod: Pod) -> None:
        await self._access.delete(PODS, pod.name)
        task = asyncio.ensure_future(pod.stop(grace=1))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _is_ready(self, pod: Pod) -> bool:
        status = pod.obj.get("status", {})
        return any(each["status"] == "True" for each in status.get("conditions", ()))

    async def _report(self, pod: Pod) -> None:
        ready = "True" if await pod.ready() else "False"
        status = {
            "phase": "Running" if pod.running else "Failed",
            "podIP": pod.address,
            "podIPs": [{"ip": pod.address}],
            "conditions": [{"type": "Ready", "status": ready}],
        }
        if pod.obj.get("status") != status:
            pod.obj["status"] = status
            await self._access.patch(PODS, pod.name, {"status": status}, MERGE_PATCH, "status")

    async def _lead(self, service: Json, pods: list[Json]) -> None:
        """A Service's EndpointSlice, and the way to it where it is a Gateway's."""
        name, selector = _name(service), service["spec"]["selector"].items()
        chosen = [
            each
            for each in pods
            if each["metadata"]["namespace"] == name.namespace
            and selector <= each["metadata"].get("labels", {}).items()
            and each.get("status", {}).get("podIP")
        ]
        slices = _slice(service, chosen)
        await self._write(SLICES, Name(name.namespace, slices["metadata"]["name"]), slices)
        ours = [pod for pod in self.pods.values() if any(pod.name == _name(p) for p in chosen)]
        if ours:
            await self._balance(service, ours[-1])

    async def _balance(self, service: Json, pod: Pod) -> None:
        spec, status = service["spec"], service.get("status", {}).get("loadBalancer", {})
        self._network.lead(spec["clusterIP"], pod.space, pod.address)
        if spec["type"] != "LoadBalancer":
            return
        found = [each["ip"] for each in status.get("ingress", ())]
        asked = spec.get("loadBalancerIP", "")
        if not found or (self._network.balances(asked) and found != [asked]):
            if not self._network.balances(asked):
                self._balanced += 1
                asked = self._network.service(self._balanced)
            body = {"status": {"loadBalancer": {"ingress": [{"ip": asked}]}}}
            await self._access.patch(SERVICES, _name(service), body, MERGE_PATCH, "status")
            found = [asked]
        self._network.lead(found[0], pod.space, pod.address)

    async def _write(self, resource: Resource, name: Name, obj: Json) -> None:
        path, text = resource.path(name), msgspec.json.encode(obj)
        if self._written.get(path) != text:
            await self._access.apply(resource, name, obj)
            self._written[path] = text


def _name(obj: Mapping[str, Any]) -> Name:
    return Name(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def _slice(service: Json, pods: list[Json]) -> Json:
    owner = {
        "apiVersion": "v1",
        "kind": "Service",
        "name": service["metadata"]["name"],
        "uid": service["metadata"]["uid"],
    }
    return {
        "metadata": {
            "name": f"{service['metadata']['name']}-node",
            "labels": {OWNER: service["metadata"]["name"]},
            "ownerReferences": [owner],
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [each["status"]["podIP"]],
                "conditions": {"ready": _ready(each)},
                "targetRef": {"kind": "Pod", **_reference(each)},
            }
            for each in pods
        ],
        "ports": [
            {
                "name": each.get("name", ""),
                "port": each["targetPort"] if isinstance(each["targetPort"], int) else each["port"],
                "protocol": each["protocol"],
                **({"appProtocol": each["appProtocol"]} if "appProtocol" in each else {}),
            }
            for each in service["spec"]["ports"]
        ],
    }


def _reference(pod: Json) -> Json:
    return {field: pod["metadata"][field] for field in ("namespace", "name", "uid")}


def _ready(pod: Json) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
