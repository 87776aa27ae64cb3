"""Pods with Envoys, as a kubelet runs them, each in a network namespace of its own.

Their Deployment is read from the API server; ports, probes and preStop are as they are deployed.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import randbelow, token_hex
from typing import Any

import httpx2

from kube.manifests import CONFIG_MAP
from kube.traffic import Address
from live.namespaces import Namespace
from serai.envoy.binary import find_envoy
from serai.kube.access import Access
from serai.kube.wire import Name

SECONDS = 40.0
"""For anything that is waited for."""


async def token(admin: Access, space: str, account: str, audience: str) -> str:
    """A token of a ServiceAccount, as a kubelet gets it."""
    path = f"/api/v1/namespaces/{space}/serviceaccounts/{account}/token"
    head = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    answer = await admin._write("POST", path, {**head, "spec": {"audiences": [audience]}})
    return str(answer["status"]["token"])


class Network:
    """A bridge that Pods are joined to; we are at `.1`."""

    def __init__(self, logs: Path) -> None:
        self._tag = token_hex(2)
        self._subnet = f"10.78.{randbelow(256)}"
        self._bridge = f"sb{self._tag}"
        self._logs = logs
        self.host = f"{self._subnet}.1"
        self._spaces: list[Namespace] = []

    @contextlib.contextmanager
    def up(self) -> Iterator[Network]:
        """Until the end."""
        _ip("link", "add", self._bridge, "type", "bridge")
        try:
            _ip("address", "add", f"{self.host}/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            yield self
        finally:
            for each in self._spaces:
                _ip("netns", "delete", each.name)
            _ip("link", "delete", self._bridge)

    def join(self) -> Namespace:
        """Room for one more Pod."""
        number = len(self._spaces) + 2
        one = Namespace(f"serai-{self._tag}-{number}", f"{self._subnet}.{number}", self._logs)
        _ip("netns", "add", one.name)
        self._spaces.append(one)
        here = f"s{self._tag}h{number}"
        _ip("link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", one.name)
        _ip("link", "set", here, "master", self._bridge, "up")
        one.output("ip", "address", "add", f"{one.address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            one.output("ip", "link", "set", link, "up")
        return one


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Pod:
    """One Pod of a Deployment, from when it is ready."""

    def __init__(self, place: Namespace, deployment: dict[str, Any], admin: Access) -> None:
        self.place = place
        self._admin = admin
        self._spec = deployment["spec"]["template"]["spec"]
        (self._container,) = self._spec["containers"]
        self._namespace = deployment["metadata"]["namespace"]
        self._process: asyncio.subprocess.Process | None = None

    def at(self, port: int) -> Address:
        """Where a port of it is."""
        return self.place.address, port

    @contextlib.asynccontextmanager
    async def running(self, folder: Path) -> AsyncIterator[Pod]:
        """It runs until it is ended; `folder` takes what is mounted, and its log."""
        binary, _ = find_envoy()
        assert binary is not None
        name = f"{self.place.name}.{self._namespace}"
        arguments = [each.replace("$(POD)", name) for each in self._container["args"]]
        arguments = self._here(arguments, folder)
        for volume in self._spec["volumes"]:
            (folder / volume["name"]).mkdir()
            for file, text in (await self._files(volume)).items():
                (folder / volume["name"] / file).write_text(*self._here([text], folder))
        with (folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.place.command(binary.path, *arguments, "--concurrency", "1"),
                stdout=log,
                stderr=log,
            )
        try:
            await self._ready()
            yield self
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()

    def _here(self, texts: list[str], folder: Path) -> list[str]:
        """Where a volume is in place of where it is mounted."""
        for mount in self._container["volumeMounts"]:
            path = f"{mount['mountPath']}/"
            texts = [each.replace(path, f"{folder}/{mount['name']}/") for each in texts]
        return texts

    async def _files(self, volume: dict[str, Any]) -> dict[str, str]:
        if "configMap" in volume:
            name = Name(self._namespace, volume["configMap"]["name"])
            found = await self._admin.read(CONFIG_MAP, name)
            assert found is not None
            return dict(found["data"])
        (source,) = volume["projected"]["sources"]
        asked = source["serviceAccountToken"]
        account = self._spec["serviceAccountName"]
        return {
            asked["path"]: await token(self._admin, self._namespace, account, asked["audience"])
        }

    async def _ready(self) -> None:
        probe = self._container["readinessProbe"]["httpGet"]
        async with asyncio.timeout(SECONDS):
            while await self._get(probe) != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def end(self, drain_seconds: float) -> None:
        """As the kubelet ends it, with so long a drain; asserts that it needs not be killed."""
        assert self._process is not None
        hook = self._container["lifecycle"]["preStop"]["httpGet"]
        (wait,) = hook["httpHeaders"]
        assert int(wait["value"]) / 1000 < self._spec["terminationGracePeriodSeconds"]
        shorter = {**hook, "httpHeaders": [{**wait, "value": str(int(drain_seconds * 1000))}]}
        began = asyncio.get_running_loop().time()
        assert await self._get(shorter) == 200
        assert asyncio.get_running_loop().time() - began >= drain_seconds - 0.1
        self._process.terminate()
        await asyncio.wait_for(self._process.wait(), 10)

    async def _get(self, action: dict[str, Any]) -> int:
        headers = {each["name"]: each["value"] for each in action.get("httpHeaders", ())}
        url = f"http://{self.place.address}:{action['port']}{action['path']}"
        async with httpx2.AsyncClient(trust_env=False, timeout=SECONDS) as client:
            try:
                return (await client.get(url, headers=headers)).status_code
            except httpx2.HTTPError:
                return 0
