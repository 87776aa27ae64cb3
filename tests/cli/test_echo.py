"""`serai echo`: servers for what manifests name."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path

import httpx2

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop, labels: {{app: cart}}}}
status: {{podIP: {address}}}
---
"""


def service(port: int) -> str:
    return f"""
apiVersion: v1
kind: Service
metadata: {{name: cart, namespace: shop}}
spec: {{selector: {{app: cart}}, ports: [{{port: 80, targetPort: {port}, name: http}}]}}
---
"""


async def test_it_stands_for_what_is_there_and_for_what_comes(tmp_path: Path) -> None:
    with socket.create_server(("127.0.5.1", 0)) as probe:
        port = probe.getsockname()[1]
    file = tmp_path / "cart.yaml"
    file.write_text(service(port) + POD.format(name="cart-1", address="127.0.5.1"))
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("serai"), "echo", tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(20), httpx2.AsyncClient(trust_env=False) as client:
        first = (await process.stdout.readline()).decode().split()
        assert first == [f"127.0.5.1:{port}", "http", "shop/cart-1"]
        file.write_text(file.read_text() + POD.format(name="cart-2", address="127.0.5.2"))
        second = (await process.stdout.readline()).decode().split()
        assert second == [f"127.0.5.2:{port}", "http", "shop/cart-2"]
        assert (await client.get(f"http://127.0.5.2:{port}/")).json()["pod"] == "cart-2"
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0


async def test_an_address_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.5.3", 0)) as taken:
        port = taken.getsockname()[1]
        text = service(port) + POD.format(name="cart-1", address="127.0.5.3")
        (tmp_path / "cart.yaml").write_text(text)
        process = await asyncio.create_subprocess_exec(
            *(Path(sys.executable).with_name("serai"), "echo", tmp_path),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()

    assert process.returncode == 1
    assert f"cannot listen on 127.0.5.3:{port}" in said.decode()
