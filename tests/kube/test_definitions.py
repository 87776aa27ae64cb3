"""A controller that is there before the CRDs: it says so, and serves them as they appear."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest

from kube import assets
from kube.controllers import SETTINGS
from kube.waiting import until
from live.envoys import free_port
from serai.app.controller import Controller, Options
from serai.web.server import WebServer


async def test_what_is_missing_is_told_until_it_appears(tmp_path: Path) -> None:
    if reason := assets.missing():
        pytest.skip(reason)
    with assets.running(tmp_path, crds=False) as api:
        port = free_port()
        options = Options(xds="127.0.0.1:0", namespace="default", identity="one")
        one = Controller(api.access(), SETTINGS, options)
        task = asyncio.create_task(one.run(WebServer("127.0.0.1", port)))
        try:
            await until(lambda: not one.waiting_for() or task.done())
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                ready = await client.get("/readyz")
                assert ready.status_code == 200
                assert ready.text.startswith("ready, but the Gateway API is not installed")
                assert "GatewayClass, Gateway, HTTPRoute" in ready.text
                metrics = (await client.get("/metrics")).text
                assert 'serai_kind_served{kind="Gateway"} 0.0' in metrics
                assert 'serai_kind_served{kind="Service"} 1.0' in metrics
                told = (await client.get("/api/v1/problems")).text
                assert "SER1202" in told
                await assets.install(api)
                await until(lambda: not one.lacks())
                assert (await client.get("/readyz")).text == "ready\n"
                metrics = (await client.get("/metrics")).text
                assert 'serai_kind_served{kind="Gateway"} 1.0' in metrics
                assert "SER1202" not in (await client.get("/api/v1/problems")).text
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
