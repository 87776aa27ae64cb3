"""A client that speaks HTTP/2 in clear text, and keeps what Envoy says to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)

from live.serving import SECONDS

Headers = list[tuple[str, str]]


class Answer2:
    """What has come back so far."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = []
        self.trailers: Headers = []
        self.body = b""
        self.reset: int | None = None
        """The error by which the stream was ended."""
        self.changed = asyncio.Event()
        """Set with all that comes."""
        self.ended = False


class Client2:
    """A connection to Envoy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.settings: dict[int, int] = {}
        """What Envoy said first, by the setting's number."""
        self.window = 65_535
        """Bytes that may be sent at first, over all streams together."""
        self.goodbye: int | None = None
        """The error by which Envoy ends the connection."""
        self._reader, self._writer = reader, writer
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._streams: dict[int, Answer2] = {}
        self._first = asyncio.Event()
        self._http.initiate_connection()
        self._flush()

    async def greeted(self) -> None:
        """Until Envoy has said its settings, and what follows them at once."""
        async with asyncio.timeout(SECONDS):
            await self._first.wait()
            await asyncio.sleep(0.05)

    def begin(self, headers: Headers, *, ended: bool = True) -> tuple[int, Answer2]:
        """Ask something; the stream, and what is coming back."""
        number = self._http.get_next_available_stream_id()
        answer = self._streams[number] = Answer2()
        self._http.send_headers(number, headers, end_stream=ended)
        self._flush()
        return number, answer

    def go_on(self, number: int, data: bytes, trailers: Headers | None = None) -> None:
        """Send more of a request; with `trailers` it ends."""
        self._http.send_data(number, data)
        if trailers is not None:
            self._http.send_headers(number, trailers, end_stream=True)
        self._flush()

    async def ask(self, path: str, *more: tuple[str, str]) -> Answer2:
        """A whole exchange."""
        _, answer = self.begin(asking(path, *more))
        return await until_ended(answer)

    async def listen(self) -> None:
        """Take what comes, until the connection is closed."""
        while data := await self._reader.read(64 * 1024):
            for event in self._http.receive_data(data):
                self._take(event)
            self._flush()

    def _take(self, event: Event) -> None:
        match event:
            case RemoteSettingsChanged(changed_settings=changed):
                self.settings |= {int(code): each.new_value for code, each in changed.items()}
                self._first.set()
            case WindowUpdated(stream_id=0, delta=delta) if not self._streams:
                self.window += delta or 0
            case ConnectionTerminated(error_code=code):
                self.goodbye = int(code or 0)
            case _:
                number = getattr(event, "stream_id", 0) or 0
                if number in self._streams:
                    self._take_of(self._streams[number], event, number)

    def _take_of(self, answer: Answer2, event: Event, number: int) -> None:
        match event:
            case ResponseReceived(headers=headers):
                answer.headers = [(str(name), str(value)) for name, value in headers or ()]
                answer.status = int(dict(answer.headers)[":status"])
            case DataReceived(data=data, flow_controlled_length=length):
                answer.body += data or b""
                self._http.acknowledge_received_data(length or 0, number)
            case TrailersReceived(headers=headers):
                answer.trailers = [(str(name), str(value)) for name, value in headers or ()]
            case StreamEnded():
                answer.ended = True
            case StreamReset(error_code=code):
                answer.reset, answer.ended = int(code or 0), True
            case _:
                return
        answer.changed.set()

    def _flush(self) -> None:
        self._writer.write(self._http.data_to_send())


def asking(path: str, *more: tuple[str, str], method: str = "GET") -> Headers:
    """The headers of a request."""
    first = [(":method", method), (":scheme", "http"), (":authority", "x"), (":path", path)]
    return [*first, *more]


async def until_ended(answer: Answer2) -> Answer2:
    """An answer that is whole, or was given up."""
    async with asyncio.timeout(SECONDS):
        while not answer.ended:
            answer.changed.clear()
            await answer.changed.wait()
    return answer


@contextlib.asynccontextmanager
async def client2(address: str, port: int) -> AsyncIterator[Client2]:
    """A connection while the context lasts."""
    reader, writer = await asyncio.open_connection(address, port)
    client = Client2(reader, writer)
    listening = asyncio.create_task(client.listen())
    try:
        yield client
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        writer.close()
