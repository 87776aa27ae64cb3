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

from kube.traffic import Address
from live.namespaces import Namespace
from serai.envoy.binary import find_envoy

SECONDS = 40.0
"""For anything that is waited for."""


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

    def __init__(self, place: Namespace, deployment: dict[str, Any], config: str) -> None:
        self.place = place
        self._spec = deployment["spec"]["template"]["spec"]
        (self._container,) = self._spec["containers"]
        self._namespace = deployment["metadata"]["namespace"]
        self._config = config
        self._process: asyncio.subprocess.Process | None = None

    def at(self, port: int) -> Address:
        """Where a port of it is."""
        return self.place.address, port

    @contextlib.asynccontextmanager
    async def running(self, folder: Path) -> AsyncIterator[Pod]:
        """It runs until it is ended; `folder` takes what is mounted, and its log."""
        binary, _ = find_envoy()
        assert binary is not None
        (folder / "bootstrap.json").write_text(self._config)
        (mount,) = self._container["volumeMounts"]
        name = f"{self.place.name}.{self._namespace}"
        arguments = [
            each.replace(mount["mountPath"], str(folder)).replace("$(POD)", name)
            for each in self._container["args"]
        ]
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
