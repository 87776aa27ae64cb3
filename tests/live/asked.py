"""Servers that Envoy asks while it decides on a request, in the tests' hands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from serai.proto.pool import message

CHECK = "envoy.service.auth.v3"
PROCESS = "envoy.service.ext_proc.v3"
PERMISSION_DENIED = 7


def check_answer(**fields: Any) -> Any:
    """A CheckResponse."""
    return message(f"{CHECK}.CheckResponse")(**fields)


def allowed(*, response: tuple[tuple[str, str], ...] = (), **headers: str) -> Any:
    """Lets a request pass, with these headers more; `response` are the answer's."""
    added = [
        {"header": {"key": name.replace("_", "-"), "value": value}}
        for name, value in headers.items()
    ]
    back = [{"header": {"key": name, "value": value}} for name, value in response]
    return check_answer(ok_response={"headers": added, "response_headers_to_add": back})


def denied(status: int, body: str, **headers: str) -> Any:
    """Answers in place of the backend."""
    added = [
        {"header": {"key": name.replace("_", "-"), "value": value}}
        for name, value in headers.items()
    ]
    return check_answer(
        status={"code": PERMISSION_DENIED},
        denied_response={"status": {"code": status}, "body": body, "headers": added},
    )


class Guard:
    """An authorization service: remembers what it was asked, and answers as it is told to."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Callable[[Any], Any] = lambda _: allowed()

    @property
    def last(self) -> Any:
        """The HTTP request that it was asked about last."""
        return self.asked[-1].attributes.request.http

    @property
    def said(self) -> dict[str, str]:
        """What its last question said beside the request."""
        return dict(self.asked[-1].attributes.context_extensions)

    async def check(self, asked: Any, context: Any) -> Any:
        """Authorization.Check."""
        self.asked.append(asked)
        found = self.answer(asked)
        if found is None:
            await context.abort(grpc.StatusCode.INTERNAL, "as the test wants it")
        return found


@contextlib.asynccontextmanager
async def guarding(address: str, port: int) -> AsyncIterator[Guard]:
    """Serve Envoy's gRPC protocol for external authorization."""
    guard = Guard()
    handler = grpc.unary_unary_rpc_method_handler(
        guard.check,
        request_deserializer=message(f"{CHECK}.CheckRequest").FromString,
        response_serializer=lambda found: found.SerializeToString(),
    )
    async with _served(address, port, f"{CHECK}.Authorization", {"Check": handler}):
        yield guard


class Processor:
    """An external processor: remembers the names of what it was sent, and answers each."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.attributes: dict[str, Any] = {}
        self.answers: dict[str, Callable[[Any], dict[str, Any]]] = {}

    async def process(self, asked: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """ExternalProcessor.Process."""
        answer = message(f"{PROCESS}.ProcessingResponse")
        async for each in asked:
            name = each.WhichOneof("request")
            self.seen.append(name)
            self.attributes |= dict(each.attributes)
            if name not in self.answers:
                yield answer(**{name: {}})
                continue
            found = self.answers[name](getattr(each, name))
            if found.pop("fail", False):
                await context.abort(grpc.StatusCode.INTERNAL, "as the test wants it")
            yield answer(**found)


@contextlib.asynccontextmanager
async def processing(address: str, port: int) -> AsyncIterator[Processor]:
    """Serve Envoy's gRPC protocol for external processing."""
    processor = Processor()
    handler = grpc.stream_stream_rpc_method_handler(
        processor.process,
        request_deserializer=message(f"{PROCESS}.ProcessingRequest").FromString,
        response_serializer=lambda found: found.SerializeToString(),
    )
    async with _served(address, port, f"{PROCESS}.ExternalProcessor", {"Process": handler}):
        yield processor


@contextlib.asynccontextmanager
async def _served(
    address: str, port: int, service: str, methods: dict[str, Any]
) -> AsyncIterator[None]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    server.add_insecure_port(f"{address}:{port}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)


class HttpGuard:
    """An authorization service that speaks HTTP; what it was asked is text."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = "HTTP/1.1 200 OK\r\n"

    @property
    def last(self) -> dict[str, str]:
        """The headers that it was shown last, and the request line under "", by small names."""
        first, *rest = self.asked[-1].split("\r\n")
        pairs = (line.partition(": ") for line in rest if line)
        return {"": first, **{name.lower(): value for name, _, value in pairs}}


@contextlib.asynccontextmanager
async def guarding_http(address: str, port: int) -> AsyncIterator[HttpGuard]:
    """Answer each request as the guard is told to, without a body."""
    guard = HttpGuard()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                guard.asked.append(head)
                length = int(guard.last.get("content-length", 0))
                guard.asked[-1] += (await reader.readexactly(length)).decode()
                writer.write(f"{guard.answer}content-length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(serve, address, port)
    try:
        yield guard
    finally:
        server.close()
