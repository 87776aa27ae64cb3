"""Replicas of `serai controller`, as processes of their own, and Envoys that find them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import yaml

from kube import assets
from kube.traffic import Address
from live.envoys import free_port
from serai.envoy.binary import find_envoy
from serai.envoy.bootstrap import BootstrapSettings, HostPort, bootstrap, render

SECONDS = 40.0
"""For anything that is waited for."""


class Replica:
    """A process, from when it is ready."""

    def __init__(self, process: asyncio.subprocess.Process, name: str, xds: int, log: Path) -> None:
        self.process = process
        self.name = name
        self.xds: Address = ("127.0.0.1", xds)
        self.log = log

    async def end(self, *, kill: bool = False) -> None:
        """As a kubelet ends it, or as nobody should."""
        if self.process.returncode is None:
            (self.process.kill if kill else self.process.terminate)()
            await asyncio.wait_for(self.process.wait(), SECONDS)


@contextlib.asynccontextmanager
async def replica(
    api: assets.ApiServer, space: str, name: str, server: str = ""
) -> AsyncIterator[Replica]:
    """One that looks at a namespace only, its Lease too; `server` leads it to the API."""
    config = api.kubeconfig()
    config["clusters"][0]["cluster"]["server"] = server or api.server
    folder = api.folder / f"{space}-{name}"
    folder.mkdir()
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    xds, probes = free_port(), free_port()
    selector = [{"matchLabels": {"kubernetes.io/metadata.name": space}}]
    log = folder / "log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "serai", "controller"),
            *("--kubeconfig", str(folder / "kubeconfig"), "--log-format", "json"),
            *("--xds", f"127.0.0.1:{xds}", "--xds-tls", "none", "--admin", "127.0.0.1:0"),
            *("--probes", f"127.0.0.1:{probes}", "--bind", "127.0.0.1"),
            *("--discovery-namespace-selectors", json.dumps(selector)),
            env={**os.environ, "POD_NAME": name, "POD_NAMESPACE": space},
            stdout=out,
            stderr=out,
        )
    one = Replica(process, name, xds, log)
    try:
        await _ready(one, f"http://127.0.0.1:{probes}/readyz")
        yield one
    finally:
        await one.end(kill=True)


async def _ready(one: Replica, url: str) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client, asyncio.timeout(SECONDS):
        while True:
            assert one.process.returncode is None, one.log.read_text()
            with contextlib.suppress(httpx2.HTTPError):
                if (await client.get(url)).status_code == 200:
                    return
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def envoy(xds: Address, gateway: str, folder: Path) -> AsyncIterator[None]:
    """A real Envoy of a Gateway, which finds its control plane at `xds`."""
    binary, _ = find_envoy()
    assert binary is not None
    settings = BootstrapSettings(gateway=gateway, node_id=f"{gateway}-test", xds=HostPort(*xds))
    config = folder / "bootstrap.json"
    config.write_bytes(render(bootstrap(settings)))
    with (folder / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(str(binary.path), "-c", str(config), "--use-dynamic-base-id", "--concurrency", "1"),
            stdout=log,
            stderr=log,
        )
    try:
        yield
        assert process.returncode is None, "Envoy has ended by itself"
    finally:
        process.kill()
        await process.wait()
