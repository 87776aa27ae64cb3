"""`get` and `explain` of a running instance say what they say of its files; `-w` goes on."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli.transcripts import WORLDS
from serai.sources.file import SETTLED_SECONDS
from serai.views.state import Facts
from serai.web.server import WebServer
from web.instances import FolderInstance

SERAI = Path(sys.executable).with_name("serai")
PIPE = asyncio.subprocess.PIPE


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[tuple[FolderInstance, Path, str]]:
    """A running instance of the shop, its folder, and its admin address."""
    folder = tmp_path / "shop"
    shutil.copytree(WORLDS / "shop", folder)
    instance = FolderInstance(folder, facts=Facts())
    server = WebServer("127.0.0.1", 0)
    await server.start_admin(instance)
    yield instance, folder, server.address
    await server.stop()


async def start(*arguments: str, cwd: Path = WORLDS) -> asyncio.subprocess.Process:
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return await asyncio.create_subprocess_exec(
        SERAI, *arguments, stdout=PIPE, stderr=PIPE, cwd=cwd, env=env
    )


async def serai(*arguments: str, cwd: Path = WORLDS) -> tuple[str, str, int | None]:
    process = await start(*arguments, cwd=cwd)
    out, err = await process.communicate()
    return out.decode(), err.decode(), process.returncode


@pytest.mark.parametrize(
    "question",
    [
        "get services -o wide",
        "get gateways -o json",
        "get routes -n shop",
        "get se -o name",
        "get policies",
        "explain payments.example.com",
        "explain nothing.example",
        "explain gateway/edge -o yaml",
        "trace GET http://payments.example.com/v1 -H canary:yes",
        "trace GET http://nothing.example/ -o json",
    ],
)
async def test_an_instance_says_what_its_files_say(
    shop: tuple[FolderInstance, Path, str], question: str
) -> None:
    _, folder, address = shop

    asked = await serai(*question.split(), "--admin", address)
    read = await serai(*question.split(), "-f", str(folder))

    assert asked == read


async def test_watching_an_instance_prints_what_changes(
    shop: tuple[FolderInstance, Path, str],
) -> None:
    instance, folder, address = shop
    process = await start("get", "gateways", "-w", "--admin", address)
    assert process.stdout and process.stderr
    titles, edge, waypoint = [(await process.stdout.readline()).decode() for _ in range(3)]
    assert titles.startswith("GATEWAY") and "infra/edge" in edge and "infra/waypoint" in waypoint

    routes = folder / "routes.yaml"
    routes.write_text(routes.read_text() + MORE)
    instance.reread()
    changed = (await process.stdout.readline()).decode()
    (folder / "mesh.yaml").unlink()
    instance.reread()
    # A file that is replaced is gone for a moment too, so that this is believed a moment later.
    await asyncio.sleep(SETTLED_SECONDS)
    instance.reread()
    gone = [(await process.stderr.readline()).decode() for _ in range(2)]
    process.terminate()
    await process.wait()

    assert changed.split() == ["infra/edge", "serai", "127.0.0.1:8080", "-", "2", "Programmed"]
    assert gone == ["gateway/edge.infra is gone\n", "gateway/waypoint.infra is gone\n"]


async def test_watching_files_prints_what_changes(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SERVICE.format(name="a"))
    process = await start("get", "services", "-w", "-o", "name", "-f", str(tmp_path))
    assert process.stdout
    first = (await process.stdout.readline()).decode()

    # The first name is printed before the folder is watched; what comes later is seen all the same.
    (tmp_path / "b.yaml").write_text(SERVICE.format(name="b"))
    second = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    process.terminate()
    await process.wait()

    assert (first, second) == ("service/a.default\n", "service/b.default\n")


MORE = """---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: more, namespace: shop}
spec:
  parentRefs: [{name: edge, namespace: infra}]
  rules: [{backendRefs: [{name: reviews, port: 9080}]}]
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{clusterIP: 127.66.9.9, ports: [{{port: 80, name: http}}]}}
"""
