"""Light clients of an xDS server: HTTP/2 in as few bytes as do, so that the server is measured.

``python -m bench.light SOCKET COUNT CLUSTER SLOW``: each subscribes to one load assignment and
acknowledges what it gets.  For each round that all have got it prints when the first, the median
and the last had it (CLOCK_MONOTONIC).  SLOW more subscribe too and then never read again.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import struct
import sys
import time
from collections import defaultdict
from functools import partial

import hpack
import msgspec

from bench.worlds import WAYPOINT
from serai.proto.envoy import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from serai.server.ads import SERVICE
from serai.server.http2.frames import (
    ACK,
    END_HEADERS,
    PREFACE,
    Frame,
    FrameReader,
    Kind,
    Setting,
    frame,
    settings,
    window_update,
)
from serai.xds.resource import ResourceType

GRPC_HEAD = 5
LARGE = 1 << 28
URL = ResourceType.ENDPOINTS.type_url
CALL = hpack.Encoder().encode(
    [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", f"/{SERVICE}/DeltaAggregatedResources"),
        (":authority", "bench"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ],
    huffman=False,
)


class Round(msgspec.Struct):
    """When all had a version."""

    version: str
    first: float
    median: float
    last: float


def message(request: DeltaDiscoveryRequest) -> bytes:
    """A request in a DATA frame."""
    body = request.SerializeToString()
    return frame(Kind.DATA, 0, 1, b"\0" + struct.pack(">I", len(body)) + body)


class Light(asyncio.Protocol):
    """One client."""

    def __init__(self, number: int, cluster: str, rounds: Rounds, *, slow: bool) -> None:
        self._first = DeltaDiscoveryRequest(type_url=URL, resource_names_subscribe=[cluster])
        self._first.node.id = f"light-{number}"
        self._first.node.cluster = WAYPOINT
        self._rounds, self._slow = rounds, slow
        self._reader, self._body = FrameReader(greeted=True), b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Subscribe."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # it is a socket
        self._transport = transport
        transport.write(
            PREFACE
            + settings({Setting.INITIAL_WINDOW_SIZE: LARGE})
            + window_update(0, LARGE)
            + frame(Kind.HEADERS, END_HEADERS, 1, CALL)
            + message(self._first)
        )

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody may go."""
        if not self._slow:
            print(f"a light client was cut off: {error}", file=sys.stderr, flush=True)

    def data_received(self, data: bytes) -> None:
        """Take the frames out of what came."""
        for found in self._reader.read(data):
            self._frame(found)

    def _frame(self, found: Frame) -> None:
        if found.kind in {Kind.SETTINGS, Kind.PING}:
            if not found.flags & ACK:
                answer = found.payload if found.kind == Kind.PING else b""
                self._transport.write(frame(Kind(found.kind), ACK, 0, answer))
        elif found.kind == Kind.DATA:
            self._body += found.payload
            while len(self._body) >= GRPC_HEAD:
                end = GRPC_HEAD + int.from_bytes(self._body[1:GRPC_HEAD], "big")
                if len(self._body) < end:
                    break
                self._response(self._body[GRPC_HEAD:end])
                self._body = self._body[end:]

    def _response(self, body: bytes) -> None:
        now = time.monotonic()
        response = DeltaDiscoveryResponse.FromString(body)
        if self._slow:
            self._transport.pause_reading()
            return
        ack = DeltaDiscoveryRequest(type_url=URL, response_nonce=response.nonce)
        self._transport.write(message(ack))
        for resource in response.resources:
            self._rounds.got(resource.version, now)


class Rounds:
    """When each client had what."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._times: dict[str, list[float]] = defaultdict(list)

    def got(self, version: str, at: float) -> None:
        """A client has got a version; that of a burst some may never see."""
        times = self._times[version]
        times.append(at)
        if len(times) == self._clients:
            found = Round(version, min(times), statistics.median(times), max(times))
            print(msgspec.json.encode(found).decode(), flush=True)
            del self._times[version]


def _made(client: Light) -> Light:
    return client


async def main(path: str, count: int, cluster: str, slow: int) -> None:
    """Connect, and listen until told to end."""
    loop = asyncio.get_running_loop()
    rounds = Rounds(count)
    for number in range(slow):
        connection = socket.socket(socket.AF_UNIX)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(path)
        client = Light(-number - 1, cluster, rounds, slow=True)
        await loop.create_unix_connection(partial(_made, client), sock=connection)
    for number in range(count):
        client = Light(number, cluster, rounds, slow=False)
        await loop.create_unix_connection(partial(_made, client), path)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
