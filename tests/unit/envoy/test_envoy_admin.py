"""What Envoy's admin interface says, and what becomes of it when it says nothing usable."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from listening import listening
from serai.envoy.admin import Admin, AdminError, _busy
from serai.envoy.cluster_state import EndpointState, read_clusters


async def answer(reply: bytes, path: str) -> str:
    """What `server_info` raises when the admin interface replies so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        assert path.encode() in request
        writer.write(reply)
        writer.close()

    async with listening(serve, "127.0.0.1") as server:
        host, port = server.sockets[0].getsockname()
        async with Admin(f"{host}:{port}") as admin:
            with pytest.raises(AdminError) as raised:
                await admin.server_info()
    assert f"Envoy's admin at {host}:{port}" in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "answered /server_info with 404"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nno!",
            "/server_info: Input data was truncated",
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]", "Expected `object`"),
        (b"hello\r\n\r\n", "/server_info: "),
        (b"", "/server_info: "),
    ],
)
async def test_an_unusable_answer_is_an_admin_error(reply: bytes, said: str) -> None:
    assert said in await answer(reply, "/server_info")


async def test_silence_is_an_admin_error_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        async with Admin(f"{host}:{port}", timeout_seconds=0.1) as admin:
            with pytest.raises(AdminError, match="did not answer /ready in time"):
                await admin.is_ready()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "", "no such host:80", "127.0.0.1:port"])
async def test_no_one_there_is_an_admin_error(address: str) -> None:
    with pytest.raises(AdminError):
        async with Admin(address) as admin:
            await admin.is_ready()


@pytest.mark.parametrize(
    ("health", "healthy", "failed"),
    [
        ({"eds_health_status": "HEALTHY"}, True, ()),
        ({}, True, ()),
        ({"eds_health_status": "DEGRADED"}, True, ()),
        ({"eds_health_status": "DRAINING"}, False, ()),
        ({"eds_health_status": "UNHEALTHY"}, False, ()),
        (
            {"eds_health_status": "HEALTHY", "failed_active_health_check": True},
            False,
            ("failed_active_health_check",),
        ),
        ({"eds_health_status": "HEALTHY", "pending_dynamic_removal": True}, True, ()),
        ({"failed_outlier_check": True}, False, ("failed_outlier_check",)),
        ({"a_mark_of_a_later_envoy": True}, False, ("a_mark_of_a_later_envoy",)),
    ],
)
def test_an_endpoint_is_healthy_if_nothing_speaks_against_it(
    health: dict[str, Any],
    healthy: bool,  # noqa: FBT001
    failed: tuple[str, ...],
) -> None:
    address = {"socket_address": {"address": "::1", "port_value": 80}}
    host = {"address": address, "health_status": health}
    answer = {"cluster_statuses": [{"name": "b", "host_statuses": [host]}, {"name": "a"}]}
    empty, cluster = read_clusters(json.dumps(answer).encode())
    assert (empty.name, empty.endpoints, cluster.name) == ("a", (), "b")
    (found,) = cluster.endpoints
    assert found == EndpointState(
        address="[::1]:80",
        healthy=healthy,
        eds_health=health.get("eds_health_status", "UNKNOWN"),
        failed=failed,
    )


def test_busy_counts_requests_and_connections_that_are_not_http() -> None:
    assert _busy({}) == 0
    stats = {
        "http.admin.downstream_rq_active": 1,
        "listener.admin.downstream_cx_active": 1,
        "listener.admin.main_thread.downstream_cx_active": 1,
        "http.inbound.downstream_rq_active": 2,
        "http.inbound.downstream_cx_active": 5,
        "listener.127.0.0.1_80.downstream_cx_active": 5,
        "listener.127.0.0.1_80.worker_0.downstream_cx_active": 5,
    }
    assert _busy(stats) == 2
    assert _busy(stats | {"listener.127.0.0.1_5432.downstream_cx_active": 3}) == 5
