"""HTTP/2: one connection, sans I/O by h2.  In clear text it takes no HTTP/1."""

from __future__ import annotations

import asyncio

import msgspec
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

from serai.echo.connection import Connections, reset
from serai.echo.endpoint import EchoEndpoint
from serai.echo.http import Respond
from serai.echo.request import LONGEST_BODY, EchoAnswer, EchoRequest, Headers
from serai.echo.tls import agreed

_NOT_HTTP_2 = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class _Stream:
    """A request under way, and what of its answer waits to be sent."""

    def __init__(self, headers: Headers) -> None:
        self.headers = headers
        self.body = bytearray()
        self.later: asyncio.TimerHandle | None = None
        self.left = b""
        self.trailers: Headers = ()


class Http2Protocol(asyncio.Protocol):
    """One connection; requests on it are answered side by side."""

    def __init__(self, endpoint: EchoEndpoint, respond: Respond, connections: Connections) -> None:
        self._endpoint = endpoint
        self._respond = respond
        self._connections = connections
        self._http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, _Stream] = {}
        self._begun = self._understood = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection; nothing is said before the client has."""
        self._transport = self._connections.opened(transport)

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        if not self._begun:
            self._begun = True
            self._http.initiate_connection()
        try:
            events = self._http.receive_data(data)
        except ProtocolError:
            self._refuse()
            return
        self._understood = True
        for event in events:
            self._take(event)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Answer no more."""
        self._connections.closed(self._transport)
        for stream in self._streams.values():
            if stream.later is not None:
                stream.later.cancel()
        self._streams.clear()

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived():
                headers = tuple((str(name), str(value)) for name, value in event.headers or ())
                self._streams[event.stream_id or 0] = _Stream(headers)
            case DataReceived():
                stream = self._streams.get(event.stream_id or 0)
                if stream is not None and event.data:
                    stream.body += event.data[: LONGEST_BODY - len(stream.body)]
                length = event.flow_controlled_length or 0
                self._http.acknowledge_received_data(length, event.stream_id or 0)
            case StreamEnded():
                self._complete(event.stream_id or 0)
            case StreamReset():
                stream = self._streams.pop(event.stream_id or 0, None)
                if stream is not None and stream.later is not None:
                    stream.later.cancel()
            case WindowUpdated():
                for number in (event.stream_id,) if event.stream_id else tuple(self._streams):
                    self._go_on(number)
            case _:
                pass

    def _complete(self, number: int) -> None:
        stream = self._streams.get(number)
        if stream is None or self._transport is None:
            return
        pseudo = {name: value for name, value in stream.headers if name.startswith(":")}
        headers = tuple(each for each in stream.headers if not each[0].startswith(":"))
        request = EchoRequest(
            endpoint=self._endpoint,
            method=pseudo.get(":method", ""),
            target=pseudo.get(":path", ""),
            authority=pseudo.get(":authority", ""),
            proto="HTTP/2.0",
            headers=headers,
            body=bytes(stream.body),
            tls=agreed(self._transport.get_extra_info("ssl_object")),
        )
        answer = self._respond(request)
        if request.method == "HEAD":
            answer = msgspec.structs.replace(answer, body=b"")
        loop = asyncio.get_running_loop()
        stream.later = loop.call_later(answer.delay, self._answer, number, answer)

    def _answer(self, number: int, answer: EchoAnswer) -> None:
        stream = self._streams.get(number)
        if stream is None or self._transport is None or self._transport.is_closing():
            return
        if answer.reset:
            reset(self._transport)
            return
        headers = [(":status", str(answer.status))]
        headers += [(name.lower(), value) for name, value in answer.headers]
        ended = not answer.body and not answer.trailers
        self._http.send_headers(number, headers, end_stream=ended)
        stream.left, stream.trailers = answer.body, answer.trailers
        if ended:
            del self._streams[number]
        else:
            self._go_on(number)
        self._flush()

    def _go_on(self, number: int) -> None:
        """Send as much of an answer as the client takes now."""
        stream = self._streams.get(number)
        if stream is None or (not stream.left and not stream.trailers):
            return
        while stream.left:
            window = self._http.local_flow_control_window(number)
            size = min(len(stream.left), window, self._http.max_outbound_frame_size)
            if size <= 0:
                return
            part, stream.left = stream.left[:size], stream.left[size:]
            ended = not stream.left and not stream.trailers
            self._http.send_data(number, part, end_stream=ended)
        if stream.trailers:
            self._http.send_headers(number, list(stream.trailers), end_stream=True)
        del self._streams[number]

    def _refuse(self) -> None:
        if self._transport is None:
            return
        if self._understood:
            self._flush()  # h2 says goodbye itself
        else:
            self._transport.write(_NOT_HTTP_2)
        self._transport.close()

    def _flush(self) -> None:
        data = self._http.data_to_send()
        if data and self._transport is not None:
            self._transport.write(data)
