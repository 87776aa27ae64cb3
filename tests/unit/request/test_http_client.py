from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from serai.api.problem import Problem
from serai.app.client.http import Entry, HttpAnswer, HttpRequest, send
from serai.app.client.proxy_protocol import proxy_header
from serai.echo import EchoEndpoint, Identity, echo

HOST = (("Host", "cart.shop"),)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def peer(serve: Serve) -> AsyncIterator[tuple[str, int]]:
    """A server that does as it is told."""
    served = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        served.set()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()
        await served.wait()


def answering(raw: bytes, *, skip: int = 0) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(skip)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()

    return serve


async def test_a_request_and_its_answer() -> None:
    async with echo([EchoEndpoint("127.0.0.1", identity=Identity("cart-1"))]) as (cart,):
        request = HttpRequest(
            method="POST", target="/a%2Fb?x=%20", headers=(*HOST, ("X-A", "1")), body=b"hi"
        )
        answer = await send(Entry(connect=("127.0.0.1", cart.port)), request)

    assert isinstance(answer, HttpAnswer)
    assert (answer.version, answer.status, answer.reason) == ("HTTP/1.1", 200, "OK")
    assert answer.header("content-type") == "application/json"
    assert b'"path": "/a%2Fb?x=%20"' in answer.body
    assert b'"body": "hi"' in answer.body
    assert b'"host": "cart.shop"' in answer.body
    assert answer.local[0] == "127.0.0.1"


async def test_the_proxy_header_comes_first_and_names_our_end() -> None:
    heard = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard = await reader.readuntil(b"\r\n\r\n\x00") + await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with peer(serve) as where:
        entry = Entry(connect=where, destination=("240.240.0.10", 443), principal="spiffe://a/b")
        answer = await send(entry, HttpRequest(headers=HOST))

    assert isinstance(answer, HttpAnswer)
    expected = proxy_header(answer.local, ("240.240.0.10", 443), "spiffe://a/b")
    assert heard == expected + b"GET / HTTP/1.1\r\nHost: cart.shop\r\n\r\n"


async def test_a_body_in_chunks_and_one_until_the_end() -> None:
    chunked = b"HTTP/1.1 503 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    async with peer(answering(chunked)) as where:
        answer = await send(Entry(connect=where), HttpRequest(headers=HOST))
        assert isinstance(answer, HttpAnswer)
        assert (answer.status, answer.reason, answer.body) == (503, "Service Unavailable", b"abc")
    async with peer(answering(b"HTTP/1.0 200 OK\r\n\r\nall of it")) as where:
        answer = await send(Entry(connect=where), HttpRequest(headers=HOST))
        assert isinstance(answer, HttpAnswer)
        assert (answer.version, answer.body) == ("HTTP/1.0", b"all of it")


async def failure(where: tuple[str, int], **more: object) -> Problem:
    entry = Entry(connect=where, destination=("240.240.0.1", 81))
    answer = await send(entry, HttpRequest(headers=HOST, **more), max_seconds=0.2)  # type: ignore[arg-type]
    assert isinstance(answer, Problem)
    return answer


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        where = closed.getsockname()
    problem = await failure(where)
    assert problem.code == "SER0801"
    assert f"127.0.0.1:{where[1]} cannot be reached" in problem.message


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", b"SSH-2.0\n"]
)
async def test_the_connection_ends_without_an_answer(raw: bytes) -> None:
    async with peer(answering(raw, skip=28)) as where:
        problem = await failure(where)
    assert problem.code == "SER0802"
    assert "closed the connection for 240.240.0.1:81" in problem.message
    assert "does not capture" in problem.remedy


async def test_nobody_answers_in_time() -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with peer(serve) as where:
        assert (await failure(where)).code == "SER0804"


async def test_tls_where_there_is_none() -> None:
    async with peer(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n", skip=28)) as where:
        problem = await failure(where, tls_name="cart.shop")
    assert problem.code in {"SER0803", "SER0804"}


async def test_what_cannot_be_written_as_http_is_the_callers_mistake() -> None:
    async with echo([EchoEndpoint("127.0.0.1")]) as (each,):
        entry = Entry(connect=("127.0.0.1", each.port))
        with pytest.raises(ValueError, match=r"[Ii]llegal|regex|invalid"):
            await send(entry, HttpRequest(headers=(*HOST, ("X-A", "1\r\nB: 2"))))
