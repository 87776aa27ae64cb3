"""Controllers of an API server, and Envoys of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kube import assets
from kube.waiting import until
from serai.app.controller import Controller, Options
from serai.envoy.binary import find_envoy
from serai.envoy.bootstrap import BootstrapSettings, HostPort, bootstrap, render
from serai.kube.deployment import Deployment
from serai.model.settings import Settings

SETTINGS = Settings(standalone=False, bind="127.0.0.1")


@asynccontextmanager
async def controller(api: assets.ApiServer, space: str, name: str) -> AsyncIterator[Controller]:
    """A replica that runs until the end."""
    options = Options(xds="127.0.0.1:0", namespace=space, identity=name)
    one = Controller(api.access(), SETTINGS, options)
    task = asyncio.create_task(one.run())
    try:
        await until(lambda: not one.waiting_for() or task.done())
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def envoy(one: Controller, gateway: str, folder: Path) -> AsyncIterator[None]:
    """A real Envoy of a Gateway."""
    binary, _ = find_envoy()
    assert binary is not None
    xds = HostPort("127.0.0.1", one.xds_port)
    settings = BootstrapSettings(gateway=gateway, node_id=f"{gateway}-test", xds=xds)
    config = folder / "bootstrap.json"
    config.write_bytes(render(bootstrap(settings)))
    with (folder / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(binary.path), "-c", str(config), "--use-dynamic-base-id", stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def answering(
    body: str, address: str = "127.0.0.1", seconds: float = 0.0
) -> AsyncIterator[int]:
    """Somebody who answers every request so, after so long; the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(seconds)
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, address, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def deploying(
    api: assets.ApiServer, space: str, xds_host: str = "serai.serai-system.svc"
) -> AsyncIterator[Controller]:
    options = Options(
        xds="127.0.0.1:0",
        namespace=space,
        identity="one",
        xds_host=xds_host,
        deployment=Deployment(image="envoy:1.40"),
    )
    one = Controller(api.access(), SETTINGS, options)
    task = asyncio.create_task(one.run())
    try:
        await until(lambda: not one.waiting_for() or task.done())
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
