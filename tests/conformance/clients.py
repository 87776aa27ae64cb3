"""Requests of each kind, by well-kept clients, each over a connection of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx2
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Event, Request, TextMessage

from conformance.certificates import serves
from conformance.observed import Observed
from serai.api.problem import Problem
from serai.app.client.http import Entry, HttpRequest, send
from serai.app.client.proxy_protocol import proxy_header
from serai.echo.grpc import decoded

Socket = tuple[str, int]
SECONDS = 10.0
"""Upstream's RequestTimeout."""
PROBE = b"gateway-api-conformance-udp-echo"
_REJECTED = (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError, EOFError)


def authority(connect: Socket, scheme: str) -> str:
    """What a client writes as the host if nobody says otherwise."""
    usual = {"http": 80, "https": 443}[scheme]
    return connect[0] if connect[1] == usual else f"{connect[0]}:{connect[1]}"


async def http(connect: Socket, request: dict[str, Any], path: str) -> Observed:
    """HTTP in clear text, HTTP/1.1 or HTTP/2 as the request wants."""
    h2 = request.get("protocol") == "H2C_PRIOR_KNOWLEDGE"
    async with httpx2.AsyncClient(
        http1=not h2, http2=h2, trust_env=False, verify=_plain(), timeout=SECONDS
    ) as client:
        return await _asked(client, "http", connect, request, path)


async def https(
    connect: Socket, request: dict[str, Any], path: str, pem: dict[str, str]
) -> Observed:
    """HTTP over TLS.  `pem` has what is trusted, and the client's certificate and key, if any."""
    h2 = request.get("protocol") == "H2"
    context = tls_context(pem)
    async with httpx2.AsyncClient(
        http1=not h2, http2=h2, trust_env=False, verify=context, timeout=SECONDS
    ) as client:
        return await _asked(client, "https", connect, request, path)


async def _asked(
    client: httpx2.AsyncClient, scheme: str, connect: Socket, request: dict[str, Any], path: str
) -> Observed:
    host = request.get("host") or authority(connect, scheme)
    extensions: dict[str, Any] = {"target": path.encode()}
    if "tls" in request:
        extensions["sni_hostname"] = request["tls"]["serverName"]
    try:
        sent = client.build_request(
            request["method"],
            f"{scheme}://{connect[0]}:{connect[1]}/",
            headers={**request.get("headers", {}), "host": host},
            content=request["body"].encode() if request.get("body") else None,
            extensions=extensions,
        )
        answer = await client.send(sent, stream=True)
        try:
            body = await answer.aread()
            certificate = _server_certificate(answer)
        finally:
            await answer.aclose()
    except httpx2.TransportError as error:
        return Observed(error=repr(error), rejected=isinstance(error, httpx2.RemoteProtocolError))
    if certificate and not serves(certificate, request["tls"]["serverName"]):
        return Observed(error=f"the certificate is not for {request['tls']['serverName']}")
    headers = tuple((name.decode(), value.decode()) for name, value in answer.headers.raw)
    told = {}
    if answer.headers.get("content-type") == "application/json":
        told = json.loads(body)
    elif not told:
        told = {"method": request["method"]} if answer.status_code in {200, 204} else {}
    return Observed(
        status=answer.status_code, protocol=answer.http_version, headers=headers, told=told
    )


def _server_certificate(answer: httpx2.Response) -> bytes | None:
    connection = answer.extensions["network_stream"].get_extra_info("ssl_object")
    return connection.getpeercert(binary_form=True) if connection is not None else None


def tls_context(pem: dict[str, str]) -> ssl.SSLContext:
    """A client's; whether the certificate is for the name, the caller looks itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=pem["trust"])
    # Some tests trust a server's own certificate, which the suite's client takes for enough.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if "clientCert" in pem:
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "crt"), Path(folder, "key")
            certificate.write_text(pem["clientCert"])
            key.write_text(pem["clientKey"])
            context.load_cert_chain(certificate, key)
    return context


def _plain() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def rpc(connect: Socket, request: dict[str, Any]) -> Observed:
    """A gRPC call in clear text."""
    options: list[tuple[str, Any]] = [("grpc.use_local_subchannel_pool", 1)]
    if request.get("authority"):
        options.append(("grpc.default_authority", request["authority"]))
    metadata = tuple((k.lower(), v) for k, v in request.get("metadata", {}).items())
    async with grpc.aio.insecure_channel(f"{connect[0]}:{connect[1]}", options) as channel:
        method = f"/{request['service']}/{request['method']}"
        call = channel.unary_unary(method, bytes, decoded)(b"", metadata=metadata, timeout=SECONDS)
        try:
            found = (await call).assertions
        except grpc.aio.AioRpcError as error:
            return Observed(error=str(error.details()), status=error.code().value[0])
        headers = tuple((key, str(value)) for key, value in (await call.initial_metadata() or ()))
    arrived: dict[str, list[str]] = {}
    for each in found.headers:
        arrived.setdefault(each.key, []).append(each.value)
    told = {
        "path": found.fully_qualified_method,
        "host": found.authority,
        "namespace": found.context.namespace,
        "pod": found.context.pod,
        "headers": arrived,
    }
    return Observed(status=0, headers=headers, told=told)


async def dialog(connect: Socket, tls: dict[str, Any] | None, pem: dict[str, str]) -> Observed:
    """The suite's talk by TCP: a welcome, PING, IS_TLS, TEST."""
    context = tls_context(pem) if tls else None
    name = tls["serverName"] if tls else None
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(
                *connect, ssl=context, server_hostname=name
            )
            try:
                certificate = writer.get_extra_info("ssl_object")
                if certificate is not None and name is not None:
                    presented = certificate.getpeercert(binary_form=True)
                    if not serves(presented, name):
                        return Observed(error=f"the certificate is not for {name}")
                said = [await reader.readline()]
                for word in ("PING", "IS_TLS", "TEST"):
                    writer.write(f"{word}\n".encode())
                    said.append(await reader.readline())
                told = json.loads(said[3])
                return Observed(told={**told, "said": [each.decode() for each in said[:3]]})
            finally:
                writer.transport.abort()
    except (OSError, ValueError, TimeoutError) as error:
        return Observed(error=repr(error), rejected=isinstance(error, _REJECTED))


async def handshake(connect: Socket, name: str) -> Observed:
    """Nothing but a TLS handshake, trusting what the system trusts."""
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(
                *connect, ssl=ssl.create_default_context(), server_hostname=name
            )
            writer.transport.abort()
            return Observed()
    except (OSError, TimeoutError) as error:
        return Observed(error=repr(error), rejected=isinstance(error, _REJECTED))


async def datagram(connect: Socket, payload: bytes) -> bytes | None:
    """One datagram, and what comes back; None if nothing does."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        try:
            async with asyncio.timeout(1):
                await loop.sock_connect(sock, connect)
                await loop.sock_sendall(sock, payload)
                return await loop.sock_recv(sock, 4096)
        except (OSError, TimeoutError):
            return None


async def frames(connect: Socket, path: str, sent: list[Event]) -> list[Event]:
    """WebSocket messages, and those that come back."""
    got: list[Event] = []
    client = WSConnection(ConnectionType.CLIENT)
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(*connect)
        try:
            host = authority(connect, "http")
            writer.write(client.send(Request(host=host, target=path)))
            while len(got) < len(sent):
                data = await reader.read(4096)
                if not data:
                    break
                client.receive_data(data)
                for event in client.events():
                    if isinstance(event, AcceptConnection):
                        writer.writelines(client.send(each) for each in sent)
                    elif isinstance(event, TextMessage | BytesMessage):
                        got.append(event)
        finally:
            writer.transport.abort()
    return got


async def mesh_http(
    connect: Socket, destination: Socket | None, principal: str, request: dict[str, Any], path: str
) -> Observed:
    """As ztunnel hands a captured connection to the waypoint; straight to a pod without one."""
    named = {name.lower(): value for name, value in request.get("headers", {}).items()}
    headers = {"host": str(request["host"]).removesuffix(":80"), **named}
    asked = HttpRequest(method=request["method"], target=path, headers=tuple(headers.items()))
    entry = Entry(connect=connect, destination=destination, principal=principal)
    answer = await send(entry, asked, SECONDS)
    if isinstance(answer, Problem):
        return Observed(error=answer.message)
    told = {}
    with contextlib.suppress(ValueError):
        told = json.loads(answer.body)
    return Observed(
        status=answer.status, protocol=answer.version, headers=answer.headers, told=told
    )


@contextlib.asynccontextmanager
async def relayed(connect: Socket, destination: Socket, principal: str) -> AsyncIterator[Socket]:
    """A socket for clients that do not know the PROXY protocol: it goes before their bytes."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection(*connect)
            local = there_writer.get_extra_info("sockname")
            there_writer.write(proxy_header(local, destination, principal))
            await asyncio.gather(_pipe(reader, there_writer), _pipe(there_reader, writer))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
