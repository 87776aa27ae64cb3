"""The bootstrap as real Envoy takes it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import msgspec
import pytest

from serai.envoy.binary import find_envoy
from serai.envoy.bootstrap import BootstrapSettings, HostPort, UnixSocket, bootstrap, render
from serai.envoy.fleet import Fleet
from serai.envoy.launch import GatewaySpec
from serai.envoy.pid import processes
from serai.envoy.state import Instance, claim
from serai.proto.envoy import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)

SETTINGS = BootstrapSettings(gateway="infra/edge", node_id="abc", xds=UnixSocket("/nowhere"))
pytestmark = pytest.mark.live

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
SECONDS = 8.0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"xds": HostPort("127.0.0.1", 18000), "protocol": "sotw"},
        {"xds": HostPort("::1", 18000), "admin_host": "::1"},
        {"xds": HostPort("xds.example", 18000), "extra_stats": ("istio.",)},
    ],
)
def test_envoy_finds_it_valid(tmp_path: Path, changes: dict[str, object]) -> None:
    envoy, _ = find_envoy()
    assert envoy is not None
    file = tmp_path / "x.json"
    file.write_bytes(render(bootstrap(msgspec.structs.replace(SETTINGS, **changes))))
    done = subprocess.run(
        [envoy.path, "--mode", "validate", "--log-level", "warning", "--config-path", str(file)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    # A deprecated field would be warned of here.
    assert (done.returncode, done.stdout + done.stderr) == (0, f"configuration '{file}' OK\n")


def content(root: Path) -> list[Path]:
    return list(root.iterdir())


class EmptyControlPlane:
    """Answers every first request of a type with no resources at all, and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    async def delta(
        self, requests: AsyncIterator[bytes], _: grpc.aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        async for each in requests:
            request = DeltaDiscoveryRequest.FromString(each)
            self._note(request)
            if not request.response_nonce:
                url = request.type_url
                yield DeltaDiscoveryResponse(type_url=url, nonce="1").SerializeToString()

    async def sotw(
        self, requests: AsyncIterator[bytes], _: grpc.aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        async for each in requests:
            request = DiscoveryRequest.FromString(each)
            self._note(request)
            if not request.response_nonce:
                url = request.type_url
                answer = DiscoveryResponse(type_url=url, nonce="1", version_info="1")
                yield answer.SerializeToString()

    def _note(self, request: DiscoveryRequest | DeltaDiscoveryRequest) -> None:
        node = request.node
        self.asked.append((request.type_url.rpartition(".")[2], node.cluster, node.id))

    def server(self) -> grpc.aio.Server:
        methods = {
            "DeltaAggregatedResources": grpc.stream_stream_rpc_method_handler(self.delta),
            "StreamAggregatedResources": grpc.stream_stream_rpc_method_handler(self.sotw),
        }
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        return server


@pytest.mark.parametrize("protocol", ["delta", "sotw"])
async def test_envoy_asks_the_control_plane_who_it_is_and_is_ready_only_when_answered(
    tmp_path: Path, protocol: str
) -> None:
    envoy, _ = find_envoy()
    assert envoy is not None
    instance = claim(tmp_path, ["files"])
    assert isinstance(instance, Instance)
    settings = msgspec.structs.replace(
        SETTINGS, xds=UnixSocket(str(instance.xds_socket)), protocol=protocol
    )
    fleet = Fleet(envoy, instance, bind_life=True)
    control_plane = EmptyControlPlane()
    server = control_plane.server()
    server.add_insecure_port(f"unix:{instance.xds_socket}")
    try:
        spec = GatewaySpec(bootstrap=render(bootstrap(settings)), concurrency=1)
        await fleet.ensure({"infra/edge": spec})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(fleet.wait_ready(), 0.7)
        assert fleet.statuses()[0].state == "starting"
        await server.start()
        await asyncio.wait_for(fleet.wait_ready(), SECONDS)
        assert {kind for kind, _, _ in control_plane.asked} == {"Cluster", "Listener"}
        assert control_plane.asked[0][1:] == ("infra/edge", "abc")
        # Said once, as nobody forgets it within a stream.
        assert set(control_plane.asked[1:]) <= {("Cluster", "", ""), ("Listener", "", "")}
    finally:
        await fleet.stop(drain=False)
        await server.stop(None)
        instance.release()
    assert content(tmp_path) == []
    assert not [pid for pid, command in processes() if str(tmp_path) in " ".join(command)]
