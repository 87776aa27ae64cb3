"""One HTTP request over one new connection, entered as a client of the mesh enters."""

from __future__ import annotations

import asyncio
import errno
import ssl
import time
from http import HTTPStatus

import h11
import msgspec

from serai.api.problem import Problem
from serai.app.client.hbone import Tunnel, TunnelRefusedError, through
from serai.app.client.proxy_protocol import Socket, proxy_header
from serai.model.addresses import with_port

_CHUNK = 64 * 1024
_LARGEST_HEAD = 1024 * 1024
_UPGRADED = 101
_UNREACHED = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EACCES}
Headers = tuple[tuple[str, str], ...]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Where to connect, and what to say there before the request."""

    connect: Socket
    destination: Socket | None = None
    """What a PROXY header names as the connection's destination; None: no such header."""
    principal: str = ""
    """The identity that the PROXY header claims."""
    host: str = ""
    """The destination's host that it names."""
    tunnel: Tunnel | None = None
    """HBONE around it, in place of such a header."""

    @property
    def shown(self) -> str:
        """Where to connect, as it is written."""
        return with_port(*self.connect)


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask."""

    method: str = "GET"
    target: str = "/"
    """Path and query, as they go on the wire."""
    headers: Headers = ()
    """All of them, Host included."""
    body: bytes = b""
    tls_name: str = ""
    """The name to ask for by TLS; empty: plain HTTP."""
    verify: bool = True


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    version: str
    status: int
    reason: str
    headers: Headers
    body: bytes
    local: Socket
    """Our end of the connection."""
    seconds: float

    def header(self, name: str) -> str:
        """The first header of a name, whatever its case; empty if there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")


async def send(
    entry: Entry, request: HttpRequest, max_seconds: float | None = None
) -> HttpAnswer | Problem:
    """Connect, ask, and read the whole answer; a Problem if there was none.

    Statuses such as 503 are answers.  ValueError if a header cannot be written as HTTP.
    """
    began = time.monotonic()
    try:
        async with asyncio.timeout(max_seconds):
            if entry.tunnel is not None:
                async with through(entry.connect, entry.tunnel) as (inner, into, local):
                    return await _exchange(entry, request, inner, into, began, local)
            reader, writer = await asyncio.open_connection(*entry.connect)
            try:
                sockname = writer.get_extra_info("sockname")
                local = (str(sockname[0]), int(sockname[1]))
                return await _exchange(entry, request, reader, writer, began, local)
            finally:
                # All is said, or lost; a farewell by TLS could keep us waiting.
                writer.transport.abort()
    except TimeoutError:
        return _timed_out(entry, time.monotonic() - began)
    except ssl.SSLError as error:
        return _no_tls(entry, request, error)
    except TunnelRefusedError as error:
        return _no_tunnel(entry, str(error))
    except OSError as error:
        return _refused(entry, error) if _is_refusal(error) else _closed(entry, str(error))
    except h11.RemoteProtocolError as error:
        return _closed(entry, str(error))
    except h11.LocalProtocolError as error:
        raise ValueError(str(error)) from error


async def _exchange(
    entry: Entry,
    request: HttpRequest,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    began: float,
    local: Socket,
) -> HttpAnswer:
    if entry.destination is not None:
        writer.write(proxy_header(local, entry.destination, entry.principal, entry.host))
    if request.tls_name:
        await writer.start_tls(_tls(verify=request.verify), server_hostname=request.tls_name)
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
    # What is written here waits in memory, so that an early answer is read while we still send.
    for event in _events(request):
        writer.write(connection.send(event) or b"")
    head, body = await _answer(connection, reader)
    return HttpAnswer(
        version=f"HTTP/{head.http_version.decode()}",
        status=head.status_code,
        reason=head.reason.decode("latin-1") or _phrase(head.status_code),
        headers=tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in head.headers.raw_items()
        ),
        body=bytes(body),
        local=local,
        seconds=time.monotonic() - began,
    )


async def _answer(
    connection: h11.Connection, reader: asyncio.StreamReader
) -> tuple[h11.Response | h11.InformationalResponse, bytes]:
    body = bytearray()
    head: h11.Response | h11.InformationalResponse | None = None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.InformationalResponse) and event.status_code == _UPGRADED:
            return event, b""
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return head, bytes(body)


def _events(request: HttpRequest) -> list[h11.Event]:
    headers = [*request.headers]
    if request.body:
        headers.append(("Content-Length", str(len(request.body))))
    events: list[h11.Event] = [
        h11.Request(method=request.method, target=request.target, headers=headers)
    ]
    if request.body:
        events.append(h11.Data(data=request.body))
    return [*events, h11.EndOfMessage()]


def _tls(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _is_refusal(error: OSError) -> bool:
    """Whether the connection was never made."""
    return isinstance(error, ConnectionRefusedError) or error.errno in _UNREACHED


def _refused(entry: Entry, error: OSError) -> Problem:
    why = "refused the connection" if isinstance(error, ConnectionRefusedError) else str(error)
    return Problem(
        "SER0801",
        "error",
        f"{entry.shown} cannot be reached: {why}; nothing was sent.",
        "See `serai get gateways` for what is served where, and `serai validate` for why not.",
    )


def _closed(entry: Entry, why: str) -> Problem:
    to, remedy = "", "See what Envoy said of it, in its log."
    if entry.destination is not None:
        to = f" for {with_port(*entry.destination)}"
        remedy = "A waypoint does so for what it does not capture; see `serai get services`."
    message = f"{entry.shown} closed the connection{to} without an answer: {why}."
    return Problem("SER0802", "error", message, remedy)


def _no_tunnel(entry: Entry, why: str) -> Problem:
    return Problem(
        "SER0805",
        "error",
        f"the tunnel to {entry.shown} was not made: {why}; nothing was asked.",
        "See what Envoy said of it, in its log.",
    )


def _no_tls(entry: Entry, request: HttpRequest, error: ssl.SSLError) -> Problem:
    why = getattr(error, "verify_message", "") or error.reason or str(error)
    if not request.tls_name:
        return Problem(
            "SER0805",
            "error",
            f"the tunnel to {entry.shown} was not made: {why}; nothing was asked.",
            "Both sides' certificates must be signed by the same authority and be of the mesh's"
            " trust domain.",
        )
    return Problem(
        "SER0803",
        "error",
        f"TLS for {request.tls_name} at {entry.shown} failed: {why}; nothing was asked.",
        "Check that this port speaks TLS; to take any certificate, add -k.",
    )


def _timed_out(entry: Entry, seconds: float) -> Problem:
    return Problem(
        "SER0804",
        "error",
        f"{entry.shown} did not answer within {seconds:.3g} s.",
        "Allow more with --max-time, or see which endpoint hangs with `serai get endpoints`.",
    )
