"""An xDS server, and streams to it that are spoken by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from serai.proto.envoy import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)
from serai.server.ads import SERVICE, AdsServer
from serai.xds.events import Rejection
from serai.xds.resource import Resource, ResourceKey, ResourceType
from unit.xds.speaker import PROXY, changes

SECONDS = 5.0


class Peer:
    """A stream to the server, spoken by hand."""

    def __init__(self, call: Any, request: Any, response: Any) -> None:
        self.call = call
        self._request = request
        self._response = response

    async def say(self, type_: ResourceType | None = None, **fields: Any) -> None:
        if type_ is not None:
            fields["type_url"] = type_.type_url
        await self.call.write(self._request(**fields).SerializeToString())

    async def hear(self) -> Any:
        data = await asyncio.wait_for(self.call.read(), SECONDS)
        assert isinstance(data, bytes), self.call
        return self._response.FromString(data)

    async def hears_nothing(self) -> None:
        reading = asyncio.ensure_future(self.call.read())
        done, _ = await asyncio.wait({reading}, timeout=0.1)
        assert not done, reading.result()
        self.pending = reading

    async def hear_at_last(self) -> Any:
        return self._response.FromString(await asyncio.wait_for(self.pending, SECONDS))

    async def ended(self) -> grpc.StatusCode:
        code: grpc.StatusCode = await asyncio.wait_for(self.call.code(), SECONDS)
        return code


class Bench:
    """A server and what connects to it."""

    def __init__(self) -> None:
        self.told: list[dict[ResourceKey, Rejection]] = []
        self.server = AdsServer(lambda _, rejections: self.told.append(dict(rejections)))
        self.port = 0
        self._channels: list[Any] = []

    def peer(self, protocol: str = "delta") -> Peer:
        channel: Any = grpc.aio.insecure_channel(
            f"127.0.0.1:{self.port}",
            options=[
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
            ],
        )
        self._channels.append(channel)
        if protocol == "delta":
            call = channel.stream_stream(f"/{SERVICE}/DeltaAggregatedResources")()
            return Peer(call, DeltaDiscoveryRequest, DeltaDiscoveryResponse)
        call = channel.stream_stream(f"/{SERVICE}/StreamAggregatedResources")()
        return Peer(call, DiscoveryRequest, DiscoveryResponse)

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():  # noqa: ASYNC110  # the server has no event for tests
                await asyncio.sleep(0.005)

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()
        await self.server.stop()


NODE = {"id": "one", "cluster": PROXY, "user_agent_name": "envoy"}


def serving(bench: Bench, *resources: Resource) -> None:
    bench.server.publish(changes(*resources))
    bench.server.mark_ready()
