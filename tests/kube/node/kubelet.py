"""One Pod's life: its volumes, its program, its probe, its end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from kube.node.container import command
from kube.node.network import Network
from serai.kube.access import Access
from serai.kube.resource import Resource
from serai.kube.wire import Name

Json = dict[str, Any]

CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap")
SECRET = Resource("", "v1", "secrets", "Secret")
ACCOUNT = Resource("", "v1", "serviceaccounts", "ServiceAccount")
PROBE_SECONDS = 0.1


class Pod:
    """A Pod that runs on this machine, or has ended."""

    def __init__(self, obj: Json, network: Network, folder: Path) -> None:
        self.obj = obj
        self.name = Name(obj["metadata"]["namespace"], obj["metadata"]["name"])
        self.folder = folder / f"{self.name.namespace}.{self.name.name}"
        self._network = network
        self.space, self.address = network.add()
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, access: Access, envoy: Path) -> None:
        """Bring up what the spec says.  Raises ApiError if what it mounts is not there."""
        spec = self.obj["spec"]
        volumes = {each["name"]: await self._volume(access, each) for each in spec["volumes"]}
        for each in spec.get("securityContext", {}).get("sysctls", ()):
            self._network.set(self.space, each["name"], each["value"])
        (self.folder / "run").mkdir(parents=True)
        how = command(self.space, self.folder / "run", envoy, self.obj, self.address, volumes)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(how, stdout=log, stderr=log)  # noqa: ASYNC220  at once

    @property
    def log(self) -> Path:
        """What its program says."""
        return self.folder / "log"

    @property
    def running(self) -> bool:
        """Whether its program has not ended."""
        return self._process is not None and self._process.poll() is None

    async def ready(self) -> bool:
        """Whether its readiness probe succeeds."""
        probe = self.obj["spec"]["containers"][0]["readinessProbe"]["httpGet"]
        url = f"http://{self.address}:{probe['port']}{probe['path']}"
        try:
            async with httpx2.AsyncClient(timeout=1, trust_env=False) as client:
                return (await client.get(url)).is_success
        except (httpx2.HTTPError, OSError):
            return False

    async def stop(self, *, grace: float | None = None) -> None:
        """End it as a kubelet does: preStop, a signal, and in the end by force."""
        spec = self.obj["spec"]
        hook = spec["containers"][0].get("lifecycle", {}).get("preStop", {})
        if grace is None:
            await asyncio.sleep(hook.get("sleep", {}).get("seconds", 0))
            grace = spec.get("terminationGracePeriodSeconds", 30)
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, grace)
            self._process.kill()
            await asyncio.to_thread(self._process.wait, 5)
        self._network.remove(self.space)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _volume(self, access: Access, volume: Json) -> Path:
        """A volume's files, in a folder."""
        folder = self.folder / "volumes" / str(volume["name"])
        folder.mkdir(parents=True)
        folder.chmod(0o777 if "emptyDir" in volume else 0o755)
        for source in volume.get("projected", {}).get("sources", [volume]):
            for path, data in (await self._files(access, source)).items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
        return folder

    async def _files(self, access: Access, source: Json) -> Mapping[str, bytes]:
        if "configMap" in source:
            asked = source["configMap"]
            found = await self._data(access, CONFIG_MAP, asked["name"])
            return _items({key: text.encode() for key, text in found.items()}, asked)
        if "secret" in source:
            asked = source["secret"]
            found = await self._data(access, SECRET, asked.get("secretName") or asked["name"])
            return _items({key: base64.b64decode(text) for key, text in found.items()}, asked)
        if "serviceAccountToken" in source:
            asked = source["serviceAccountToken"]
            return {asked["path"]: await self._token(access, asked)}
        return {}

    async def _data(self, access: Access, resource: Resource, name: str) -> dict[str, str]:
        found = await access.read(resource, Name(self.name.namespace, name))
        return (found or {}).get("data") or {}

    async def _token(self, access: Access, asked: Json) -> bytes:
        account = Name(self.name.namespace, self.obj["spec"]["serviceAccountName"])
        bound = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": self.name.name,
            "uid": self.obj["metadata"]["uid"],
        }
        spec = {
            "audiences": [asked["audience"]] if "audience" in asked else [],
            "expirationSeconds": asked.get("expirationSeconds", 3600),
            "boundObjectRef": bound,
        }
        request = Resource("", "v1", f"serviceaccounts/{account.name}/token", "TokenRequest")
        found = await access.create(request, account.namespace, {"spec": spec})
        return str(found["status"]["token"]).encode()


def _items(data: Mapping[str, bytes], source: Json) -> dict[str, bytes]:
    items = source.get("items")
    if items is None:
        return dict(data)
    return {each["path"]: data[each["key"]] for each in items}
