"""An application is served while the context lasts, and not a moment longer."""

from __future__ import annotations

import asyncio
import socket

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from live.sockets import waits_for_acknowledgements
from serai.asgi.serving import serving

ASK = b"GET %s HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.1\r\n\r\n"


async def who(request: Request) -> Response:
    return PlainTextResponse(request.client.host if request.client else "nobody")


async def never(request: Request) -> Response:
    request.app.state.asked.set()
    await asyncio.Event().wait()
    return Response()


def application() -> Starlette:
    app = Starlette(routes=[Route("/who", who), Route("/never", never)])
    app.state.asked = asyncio.Event()
    return app


async def test_every_socket_answers_with_the_headers_of_the_application_alone() -> None:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]

    async with serving(application(), sockets):
        for bound in sockets:
            reader, writer = await asyncio.open_connection(*bound.getsockname())
            writer.write(ASK % b"/who")
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            body = await reader.readexactly(9)
            writer.close()

            assert body == b"127.0.0.1", "a header is believed to say who asks"
            assert "date:" not in head and "server:" not in head


async def test_the_end_cuts_off_what_is_being_answered_and_frees_the_port() -> None:
    bound, app = socket.create_server(("127.0.0.1", 0)), application()
    address = bound.getsockname()

    async with serving(app, [bound]):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(ASK % b"/never")
        await app.state.asked.wait()
        ended = asyncio.ensure_future(reader.read())

    assert await ended == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


async def test_no_body_waits_for_an_acknowledgement_of_its_head() -> None:
    bound = socket.create_server(("127.0.0.1", 0))
    where = bound.getsockname()
    async with serving(application(), [bound]):
        reader, writer = await asyncio.open_connection(*where)
        writer.write(ASK % b"/who")
        assert await reader.read(1)
        assert not waits_for_acknowledgements(where)
        writer.close()
