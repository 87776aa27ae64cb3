"""HTTP/1.1, and WebSocket where a request asks for it: one connection, sans I/O by h11."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import h11
from wsproto.utilities import generate_accept_token

from serai.echo.connection import Connections, reset
from serai.echo.endpoint import EchoEndpoint
from serai.echo.http import Respond
from serai.echo.request import LONGEST_BODY, EchoAnswer, EchoRequest
from serai.echo.tls import agreed
from serai.echo.websocket import WebSocketProtocol

_LARGEST_HEAD = 1024 * 1024


class Http1Protocol(asyncio.Protocol):
    """One connection; requests on it are answered one after another."""

    def __init__(self, endpoint: EchoEndpoint, respond: Respond, connections: Connections) -> None:
        self._endpoint = endpoint
        self._respond = respond
        self._connections = connections
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)
        self._transport: asyncio.Transport | None = None
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._later: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = self._connections.opened(transport)

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._http.receive_data(data)
        self._go_on()

    def eof_received(self) -> None:
        """Nothing more is to be answered; the transport closes itself."""
        self._http.receive_data(b"")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Answer no more."""
        self._connections.closed(self._transport)
        if self._later is not None:
            self._later.cancel()

    def _go_on(self) -> None:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                self._refuse(error.error_status_hint)
                return
            match event:
                case h11.Request() if not event.http_version.startswith(b"1."):
                    self._refuse(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
                    return
                case h11.Request():
                    self._head, self._body = event, bytearray()
                    self._expect()
                case h11.Data():
                    self._body += event.data[: LONGEST_BODY - len(self._body)]
                case h11.EndOfMessage():
                    self._complete()
                case _:
                    return

    def _expect(self) -> None:
        if self._http.they_are_waiting_for_100_continue:
            self._write(h11.InformationalResponse(status_code=100, headers=[]))

    def _complete(self) -> None:
        if self._head is None or self._transport is None:
            return
        request = self._request(self._head, self._transport)
        key = request.header("sec-websocket-key")
        if request.header("upgrade").lower() == "websocket" and key:
            self._upgrade(key)
            return
        answer = self._respond(request)
        loop = asyncio.get_running_loop()
        self._later = loop.call_later(answer.delay, self._answer, answer)

    def _request(self, head: h11.Request, transport: asyncio.Transport) -> EchoRequest:
        headers = [(name.decode(), value.decode("latin-1")) for name, value in head.headers]
        return EchoRequest(
            endpoint=self._endpoint,
            method=head.method.decode(),
            target=head.target.decode("latin-1"),
            authority=next((value for name, value in headers if name == "host"), ""),
            proto=f"HTTP/{head.http_version.decode()}",
            headers=tuple(each for each in headers if each[0] != "host"),
            body=bytes(self._body),
            tls=agreed(transport.get_extra_info("ssl_object")),
        )

    def _answer(self, answer: EchoAnswer) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if answer.reset:
            reset(self._transport)
            return
        bodiless = answer.status in {204, 304} or answer.status < HTTPStatus.OK
        headers = [*answer.headers]
        if not bodiless:
            headers.append(("content-length", str(len(answer.body))))
        self._write(
            h11.Response(status_code=answer.status, headers=headers, reason=_phrase(answer.status))
        )
        if answer.body and not bodiless and self._head and self._head.method != b"HEAD":
            self._write(h11.Data(data=answer.body))
        self._write(h11.EndOfMessage())
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._go_on()
        else:
            self._transport.close()

    def _upgrade(self, key: str) -> None:
        accepted = generate_accept_token(key.encode()).decode()
        self._write(
            h11.InformationalResponse(
                status_code=101,
                headers=[
                    ("upgrade", "websocket"),
                    ("connection", "Upgrade"),
                    ("sec-websocket-accept", accepted),
                ],
                reason=b"Switching Protocols",
            )
        )
        if self._transport is not None:
            frames = WebSocketProtocol(self._connections)
            self._transport.set_protocol(frames)
            frames.connection_made(self._transport)
            frames.data_received(self._http.trailing_data[0])

    def _refuse(self, status: int) -> None:
        if self._transport is None:
            return
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = [("connection", "close"), ("content-length", "0")]
            self._write(h11.Response(status_code=status, headers=headers, reason=_phrase(status)))
            self._write(h11.EndOfMessage())
        self._transport.close()

    def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data and self._transport is not None:
            self._transport.write(data)


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
