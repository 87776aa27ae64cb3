"""A real socket: the server in an event loop, asked by the client that the commands use."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpx2
import pytest

from listening import listening
from serai.views.listings import SERVICES
from serai.web.client import AdminClient
from serai.web.errors import RefusedError, UnreachableError
from serai.web.instance import Changes
from serai.web.server import WebServer
from web.instances import WORLDS, FolderInstance

MANIFEST = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{clusterIP: 127.66.9.9, ports: [{{port: 80, name: http}}]}}
"""


async def serve(instance: FolderInstance, port: int = 0) -> WebServer:
    server = WebServer("127.0.0.1", port)
    await server.start_admin(instance)
    return server


async def test_the_client_gets_the_rows_of_the_server() -> None:
    instance = FolderInstance(WORLDS / "shop")
    server = await serve(instance)
    try:
        client = AdminClient(server.address)
        rows = await asyncio.to_thread(client.rows, SERVICES)
        found = await asyncio.to_thread(client.explain, "payments.example.com", "")
        absent = await asyncio.to_thread(client.explain, "nothing.example", "")
    finally:
        await server.stop()

    assert rows == SERVICES.rows(instance.state())
    assert [each.name for each in found.found] == ["payments"]
    assert "there is no host" in absent.message


async def test_each_change_is_told_and_the_end_too(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MANIFEST.format(name="a"))
    instance = FolderInstance(tmp_path)
    server = await serve(instance)
    client = AdminClient(server.address)
    changes = client.changes()

    await anext(changes)
    assert [row.name for row in await asyncio.to_thread(client.rows, SERVICES)] == ["a"]
    (tmp_path / "b.yaml").write_text(MANIFEST.format(name="b"))
    instance.reread()
    await anext(changes)
    assert [row.name for row in await asyncio.to_thread(client.rows, SERVICES)] == ["a", "b"]
    await server.stop()

    with pytest.raises(UnreachableError, match="has ended"):
        await anext(changes)


async def test_a_port_in_use_is_an_error_of_the_one_who_asks() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
    ):
        await serve(FolderInstance(WORLDS / "shop"), taken.getsockname()[1])


def test_nobody_there_is_said_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(UnreachableError, match="no instance answers at"):
        AdminClient(f"127.0.0.1:{port}").rows(SERVICES)


@pytest.mark.parametrize("address", ["", "no port", "127.0.0.1:port", "[::1"])
def test_an_address_that_is_none_is_unreachable_too(address: str) -> None:
    with pytest.raises(UnreachableError):
        AdminClient(address).rows(SERVICES)


async def test_somebody_else_there_is_told_apart() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\nconnection: close\r\n\r\nnginx"
        )
        await writer.drain()
        writer.close()

    async with listening(answer, "127.0.0.1") as other:
        host, port = other.sockets[0].getsockname()
        with pytest.raises(UnreachableError, match="is not Serai: it answers 404 nginx"):
            await asyncio.to_thread(AdminClient(f"{host}:{port}").rows, SERVICES)


def test_an_instance_of_another_version_is_told() -> None:
    older = {"apiVersion": "serai.dev/cli/v1", "kind": "ServiceList", "items": [{"name": "a"}]}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=older))
    client = AdminClient("127.0.0.1:9095", transport=transport)

    with pytest.raises(RefusedError, match="answers as another version of Serai"):
        client.rows(SERVICES)


async def test_a_refusal_is_handed_on() -> None:
    server = await serve(FolderInstance(WORLDS / "shop"))
    try:
        with pytest.raises(RefusedError, match="say what to explain"):
            await asyncio.to_thread(AdminClient(server.address).explain, "", "")
    finally:
        await server.stop()


async def test_a_burst_of_changes_is_one_for_who_sleeps() -> None:
    changes = Changes()
    following = changes.follow()
    assert await anext(following) == 0

    for _ in range(3):
        changes.tell()

    assert await anext(following) == 3
    upcoming = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    changes.close()
    with pytest.raises(StopAsyncIteration):
        await upcoming
