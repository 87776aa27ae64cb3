"""Aggregated discovery over gRPC: each stream drives one conversation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any

import grpc
import structlog

from serai.proto.envoy import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from serai.xds.delta import DeltaRequest, DeltaResponse, DeltaStream
from serai.xds.events import Cleared, Rejected, Rejection
from serai.xds.resource import Resource, ResourceKey, ResourceType
from serai.xds.world import World

log = structlog.get_logger(__name__)

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_TYPES = {type_.type_url: type_ for type_ in ResourceType}
_OPTIONS = (("grpc.max_receive_message_length", 64 * 1024 * 1024),)

OnRejections = Callable[[str, Mapping[ResourceKey, Rejection]], None]


class AdsServer:
    """Serves what was published to whoever asks for it by its Gateway's name."""

    def __init__(self, on_rejections: OnRejections = lambda _, __: None) -> None:
        """`on_rejections` is called with all rejections of a proxy when they change."""
        self.on_rejections = on_rejections
        self._world = World()
        self._streams: set[_Stream] = set()
        self._servers: list[Any] = []
        self._ready = asyncio.Event()

    async def start(self, address: str) -> None:
        """Listen on ``host:port`` or ``unix:path``.  OSError if that is not possible."""
        server = grpc.aio.server(options=_OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(self._delta)
        handlers = {"DeltaAggregatedResources": handler}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        try:
            server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(str(error)) from error
        await server.start()
        self._servers.append(server)

    def mark_ready(self) -> None:
        """The world has been read once; from now on questions are answered."""
        self._ready.set()

    def publish(self, changes: Mapping[str, Mapping[ResourceKey, Resource | None]]) -> None:
        """Change what proxies should have."""
        changed = self._world.apply(changes)
        for stream in self._streams:
            keys = changed.get(stream.proxy)
            if keys is not None:
                stream.events.put_nowait(keys)

    async def stop(self) -> None:
        """End all streams."""
        for server in self._servers:
            await server.stop(0)

    async def _delta(
        self, requests: AsyncIterator[bytes], _: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[bytes]:
        await self._ready.wait()
        stream = _Stream()
        reading = asyncio.create_task(stream.read(requests))
        self._streams.add(stream)
        try:
            async for response in self._converse(stream):
                yield response
        finally:
            self._streams.discard(stream)
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    async def _converse(self, stream: _Stream) -> AsyncIterator[bytes]:
        while True:
            event = await stream.next_event()
            now = time.monotonic()
            match event:
                case "end":
                    return
                case None:
                    responses = stream.conversation.tick(now)
                case tuple():
                    responses = self._changed(stream, event, now)
                case _:
                    responses = self._asked(stream, event, now)
            self._report(stream)
            for response in responses:
                yield _encode(response)

    def _asked(self, stream: _Stream, request: Any, now: float) -> list[DeltaResponse]:
        if request.node.cluster and not stream.proxy:
            stream.proxy = request.node.cluster
            world = self._world.resources(stream.proxy)
            stream.conversation = DeltaStream(world)
            stream.is_attached = world is not None
        type_ = _TYPES.get(request.type_url)
        if type_ is None:
            return []
        refused = request.error_detail.message if request.HasField("error_detail") else None
        asked = DeltaRequest(
            type_,
            tuple(request.resource_names_subscribe),
            tuple(request.resource_names_unsubscribe),
            dict(request.initial_resource_versions),
            request.response_nonce,
            refused,
        )
        return stream.conversation.receive(asked, now)

    def _changed(
        self, stream: _Stream, keys: tuple[ResourceKey, ...], now: float
    ) -> list[DeltaResponse]:
        world = self._world.resources(stream.proxy)
        if not stream.is_attached and world is not None:
            stream.is_attached = True
            return stream.conversation.attach(world, now)
        return stream.conversation.update(keys, now)

    def _report(self, stream: _Stream) -> None:
        before = dict(stream.rejected)
        for event in stream.conversation.events():
            if isinstance(event, Rejected):
                stream.rejected[event.key] = event.rejection
                log.warning("xds.rejected", proxy=stream.proxy, message=event.rejection.message)
            elif isinstance(event, Cleared):
                stream.rejected.pop(event.key, None)
        if stream.rejected != before:
            self.on_rejections(stream.proxy, dict(stream.rejected))


class _Stream:
    def __init__(self) -> None:
        self.proxy = ""
        self.conversation = DeltaStream()
        self.is_attached = False
        self.rejected: dict[ResourceKey, Rejection] = {}
        self.events: asyncio.Queue[Any] = asyncio.Queue()

    async def read(self, requests: AsyncIterator[bytes]) -> None:
        """Queue what the client says, until it ends."""
        try:
            async for body in requests:
                self.events.put_nowait(DeltaDiscoveryRequest.FromString(body))
        finally:
            self.events.put_nowait("end")

    async def next_event(self) -> Any:
        """A request, keys that changed, the end, or None where only time has passed."""
        now = time.monotonic()
        patience = self.conversation.deadline(now) - now
        try:
            return await asyncio.wait_for(self.events.get(), min(max(patience, 0.001), 3600.0))
        except TimeoutError:
            return None


def _encode(response: DeltaResponse) -> bytes:
    message = DeltaDiscoveryResponse(
        type_url=response.type.type_url,
        nonce=response.nonce,
        resources=[
            {
                "name": entry.name,
                "version": entry.version,
                "resource": {"type_url": response.type.type_url, "value": entry.resource.body},
            }
            for entry in response.resources
        ],
        removed_resources=response.removed,
    )
    return message.SerializeToString()
