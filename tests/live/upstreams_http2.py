"""Endpoints that speak HTTP/2 in clear text, and keep what Envoy agrees to and asks for."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    PingReceived,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)

HEALTH = "/grpc.health.v1.Health/Check"
SERVING, NOT_SERVING = 1, 2


class Link2(asyncio.Protocol):
    """A connection that was made to an endpoint, and what came over it."""

    def __init__(self, server: Upstream2) -> None:
        self.settings: dict[int, int] = {}
        """What the other side said first, by the setting's number."""
        self.window = 65_535
        """Bytes that all its streams together may be sent at first."""
        self.pings: list[float] = []
        """When it asked whether anybody is there."""
        self.asked = 0
        self.head: dict[str, str] = {}
        """Of the last request, pseudo-headers included."""
        self.body = b""
        self.busy = self.most_busy = 0
        """Requests that wait for an answer, now and at most."""
        self.is_open = True
        self._server = server
        # What h2 would refuse to send is what some tests are about.
        unchecked = H2Configuration(
            client_side=False,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self._http = H2Connection(unchecked)
        self._transport: asyncio.Transport | None = None

    def abort(self) -> None:
        """Cut it off."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._server.links.append(self)
        self._transport = cast("asyncio.Transport", transport)
        self._http.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self._server.deaf:
            return
        for event in self._http.receive_data(data):
            self._take(event)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.is_open = False

    def _take(self, event: Event) -> None:
        match event:
            case RemoteSettingsChanged(changed_settings=changed):
                self.settings |= {int(code): each.new_value for code, each in changed.items()}
            case WindowUpdated(stream_id=0, delta=delta) if not self.asked:
                self.window += delta or 0
            case PingReceived():
                self.pings.append(time.monotonic())
            case RequestReceived(headers=headers):
                self.asked += 1
                self.head = {str(name): str(value) for name, value in headers or ()}
                self.body = b""
                self.busy += 1
                self.most_busy = max(self.busy, self.most_busy)
            case DataReceived(data=data, flow_controlled_length=length, stream_id=number):
                self.body += data or b""
                self._http.acknowledge_received_data(length or 0, number or 0)
            case StreamEnded(stream_id=number):
                loop = asyncio.get_running_loop()
                if self.head[":path"] == HEALTH and self._server.health is not None:
                    self._tell_health(number or 0, self._server.health)
                else:
                    loop.call_later(self._server.delay, self._answer, number)
            case StreamReset():
                self.busy -= 1
            case _:
                pass

    def _tell_health(self, number: int, status: int) -> None:
        self.busy -= 1
        kind = [(":status", "200"), ("content-type", "application/grpc")]
        self._http.send_headers(number, kind)
        self._http.send_data(number, bytes([0, 0, 0, 0, 2, 0x08, status]))
        self._http.send_headers(number, [("grpc-status", "0")], end_stream=True)

    def _answer(self, number: int) -> None:
        if not self.is_open:
            return
        with contextlib.suppress(KeyError):  # the stream was reset
            self._http.send_headers(number, self._server.headers, end_stream=True)
            self.busy -= 1
        self._flush()

    def _flush(self) -> None:
        assert self._transport is not None
        self._transport.write(self._http.data_to_send())


class Upstream2:
    """What it answers, and what was done to it."""

    def __init__(self) -> None:
        self.links: list[Link2] = []
        self.headers = [(":status", "200")]
        """Of each answer, as they are, good or not."""
        self.delay = 0.0
        """Seconds before each answer."""
        self.health: int | None = None
        """What it says of its health by gRPC, if it says so."""
        self.deaf = False
        """Whether it hears nothing any more."""


@contextlib.asynccontextmanager
async def upstream2(address: str, port: int = 3000) -> AsyncIterator[Upstream2]:
    """Listens while the context lasts."""
    server = Upstream2()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Link2(server), address, port)
    async with listening:
        yield server
        for link in server.links:
            link.abort()
