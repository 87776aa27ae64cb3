"""The floor: the smallest server that sends prepared bytes, and an Envoy that takes them.

It is what no control plane can undercut that speaks gRPC by Python's own library: the very bytes
that Serai sends, made before the clock starts, with no thought of order, versions or refusals.

``python -m bench.floor SOCKET`` is one in a process of its own: each line that it reads is a
resource, which it sends, and it prints when it did and what CPU time that took (`Sent`).
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import grpc
import msgspec

from serai.proto.envoy import DeltaDiscoveryRequest, DeltaDiscoveryResponse, Listener
from serai.server.ads import SERVICE
from serai.xds.resource import Resource, ResourceKey, ResourceType

CHUNK = 1000
"""Resources in one response."""
PAUSE = 0.1
"""Seconds after a change in which everything is acknowledged."""
NO_LIMIT = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))

Changes = Mapping[ResourceKey, Resource | None]


class Sent(msgspec.Struct):
    """A resource, once everybody has acknowledged it."""

    began: float
    """CLOCK_MONOTONIC when it was sent."""
    cpu: float
    """Seconds."""


class Message:
    """A response but for its nonce, and the names that it is of."""

    def __init__(self, url: str, body: bytes, names: frozenset[str]) -> None:
        self.url, self.body, self.names = url, body, names


class Stream:
    """One client."""

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = {}
        """By type URL: what it asked for; nothing means everything."""
        self._nonces = itertools.count(1)
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()

    def send(self, message: Message) -> None:
        """Hand it a response."""
        nonce = DeltaDiscoveryResponse(nonce=str(next(self._nonces))).SerializeToString()
        self._waiting.put_nowait(message.body + nonce)

    async def next(self) -> bytes:
        """What is to be written next."""
        return await self._waiting.get()


class Floor:
    """Serves the resources that it was given."""

    def __init__(self) -> None:
        self.acknowledged = 0
        """Responses, of all streams."""
        self.refusals: list[str] = []
        self._streams: list[Stream] = []
        self._entries: dict[str, dict[str, bytes]] = {}
        """By type URL and name: a field `resources` of a response."""
        self._server: grpc.aio.Server | None = None

    def put(self, changes: Changes) -> tuple[Message, ...]:
        """Take changes in; the responses that tell of them, in an order that breaks nothing."""
        by_type: dict[ResourceType, list[tuple[str, Resource | None]]] = {}
        for key, resource in changes.items():
            by_type.setdefault(key.type, []).append((key.name, resource))
            entries = self._entries.setdefault(key.type.type_url, {})
            if resource is None:
                entries.pop(key.name, None)
            else:
                entries[key.name] = _entry(resource)
        goes = all(resource is None for resource in changes.values())
        order = sorted(by_type, key=list(ResourceType).index, reverse=goes)
        return tuple(self._message(type_, by_type[type_]) for type_ in order)

    def _message(self, type_: ResourceType, rows: list[tuple[str, Resource | None]]) -> Message:
        gone = [name for name, resource in rows if resource is None]
        entries = self._entries[type_.type_url]
        there = b"".join(entries[name] for name, resource in rows if resource is not None)
        return _message(type_.type_url, there, frozenset(name for name, _ in rows), gone)

    def send(self, messages: Iterable[Message]) -> None:
        """Send responses to whoever has asked for what they are of."""
        for message in messages:
            for stream in self._streams:
                names = stream.names.get(message.url)
                if names is not None and (not names or message.names & names):
                    stream.send(message)

    async def start(self, address: str) -> None:
        """Serve, at an address such as ``unix:/path``."""
        self._server = grpc.aio.server(options=NO_LIMIT)
        methods = {
            "DeltaAggregatedResources": grpc.stream_stream_rpc_method_handler(self._serve),
        }
        handler = grpc.method_handlers_generic_handler(SERVICE, methods)
        self._server.add_generic_rpc_handlers((handler,))
        self._server.add_insecure_port(address)
        await self._server.start()

    async def stop(self) -> None:
        """End all streams."""
        if self._server is not None:
            await self._server.stop(grace=None)

    async def _serve(self, requests: AsyncIterator[bytes], context: Any) -> None:
        stream = Stream()
        self._streams.append(stream)
        hearing = asyncio.create_task(self._hear(stream, requests))
        try:
            while True:
                await context.write(await stream.next())
        finally:
            hearing.cancel()
            self._streams.remove(stream)

    async def _hear(self, stream: Stream, requests: AsyncIterator[bytes]) -> None:
        async for data in requests:
            request = DeltaDiscoveryRequest.FromString(data)
            if request.response_nonce:
                self.acknowledged += 1
            if request.HasField("error_detail"):
                self.refusals.append(request.error_detail.message)
            asked = [name for name in request.resource_names_subscribe if name != "*"]
            first = request.type_url not in stream.names
            stream.names.setdefault(request.type_url, set()).update(asked)
            if asked or first:
                self._answer(stream, request.type_url, asked)

    def _answer(self, stream: Stream, url: str, asked: list[str]) -> None:
        entries = self._entries.get(url, {})
        names = [name for name in asked if name in entries] if asked else list(entries)
        for start in range(0, max(1, len(names)), CHUNK):
            chunk = names[start : start + CHUNK]
            body = b"".join(entries[name] for name in chunk)
            stream.send(_message(url, body, frozenset(chunk)))


def _entry(resource: Resource) -> bytes:
    body: Any = {"type_url": resource.type.type_url, "value": resource.body}
    entry = {"name": resource.name, "version": resource.version, "resource": body}
    return DeltaDiscoveryResponse(resources=[entry]).SerializeToString()


def _message(url: str, body: bytes, names: frozenset[str], gone: Iterable[str] = ()) -> Message:
    head = DeltaDiscoveryResponse(type_url=url, removed_resources=list(gone)).SerializeToString()
    return Message(url, body + head, names)


def at_port(changes: Changes, port: int, *, instead_of: int) -> dict[ResourceKey, Resource | None]:
    """The same, with listeners at another port, so that two Envoys can have them."""
    found = dict(changes)
    for key, resource in changes.items():
        if key.type is ResourceType.LISTENER and resource is not None:
            listener = Listener.FromString(resource.body)
            if move(listener, port, instead_of=instead_of):
                body = listener.SerializeToString(deterministic=True)
                found[key] = Resource(key.type, key.name, resource.version, body)
    return found


def move(listener: Listener, port: int, *, instead_of: int) -> bool:
    """Have a listener listen elsewhere; whether it did at this port."""
    addresses = [listener.address, *(each.address for each in listener.additional_addresses)]
    found = [each for each in addresses if each.socket_address.port_value == instead_of]
    for each in found:
        each.socket_address.port_value = port
    return bool(found)


async def main(path: str) -> None:
    """Serve until there is no more input."""
    loop, floor = asyncio.get_running_loop(), Floor()
    await floor.start(f"unix:{path}")
    print(flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        resource = msgspec.json.decode(line, type=Resource)
        messages = floor.put({resource.key: resource})
        cpu, began = time.process_time(), time.monotonic()
        floor.send(messages)
        await asyncio.sleep(PAUSE)
        sent = Sent(began, time.process_time() - cpu)
        print(msgspec.json.encode(sent).decode(), flush=True)
    await floor.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
