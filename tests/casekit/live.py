"""The requests of a case through real Envoys."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import trustme

from casekit.case import Case, Stage
from casekit.requests import Observed, Request
from casekit.traced import follow, possible
from listening import listening
from serai.api.meta import Key
from serai.api.problem import Problem
from serai.app.client.access_log import AccessLine
from serai.app.client.http import Entry, HttpAnswer, HttpRequest, send
from serai.echo.endpoint import EchoEndpoint, Identity
from serai.echo.server import echo
from serai.envoy.binary import find_envoy
from serai.envoy.bootstrap import BootstrapSettings, UnixSocket, bootstrap, render
from serai.envoy.fleet import Fleet
from serai.envoy.launch import GatewaySpec
from serai.envoy.logfile import Tail
from serai.envoy.state import Instance, claim
from serai.model.addresses import SOCKET, is_ip, is_socket, with_port
from serai.server.ads import AdsServer
from serai.trace import Trace, Unresolved
from serai.trace.connection import listener_of
from serai.trace.hello import server_name
from serai.trace.request import Destination
from serai.xds.resource import Resource, ResourceKey

SECONDS = 10.0
LOCAL = ("127.0.0.1", "::1")
UNPRIVILEGED = 1024
UNANSWERED = 2.0
"""Seconds until a datagram is taken to be lost."""


class LiveCase:
    """A case's Envoys, brought to each of its stages."""

    def __init__(self, instance: Instance, server: AdsServer, fleet: Fleet) -> None:
        self._instance = instance
        self._server = server
        self._fleet = fleet
        self._sent: dict[str, dict[ResourceKey, Resource]] = {}
        self._serving: set[str] = set()

    async def reach(self, stage: Stage) -> None:
        """Return when every Envoy has acknowledged all of a stage."""
        wanted = _snapshot(stage)
        changes: dict[str, dict[ResourceKey, Resource | None]] = {}
        for proxy in wanted.keys() | self._sent.keys():
            new, old = wanted.get(proxy, {}), self._sent.get(proxy, {})
            changes[proxy] = {**new, **dict.fromkeys(old.keys() - new.keys())}
        self._sent = wanted
        self._server.publish(changes)
        self._server.mark_ready()
        proxies = {each.name for _, each in stage.world.pipeline.attached.proxies.items()}
        await self._fleet.ensure({name: self._spec(name) for name in proxies})
        async with asyncio.timeout(SECONDS):
            await self._fleet.wait_ready()
            calm = 0
            while calm < 3:
                await asyncio.sleep(0.02)
                clients = self._server.clients()
                busy = sum(each.pending for client in clients for each in client.types)
                calm = calm + 1 if not busy and len(clients) == len(proxies) else 0

    def access_log(self, proxy: str) -> Tail:
        """The lines that a proxy will write from now on."""
        path = next(each.access_log for each in self._fleet.statuses() if each.gateway == proxy)
        return Tail(Path(path))

    def rejections(self) -> int:
        """How many resources an Envoy has refused."""
        return sum(each.rejected for client in self._server.clients() for each in client.types)

    def _spec(self, proxy: str) -> GatewaySpec:
        settings = BootstrapSettings(
            gateway=proxy, node_id="case", xds=UnixSocket(str(self._instance.xds_socket))
        )
        return GatewaySpec(bootstrap=render(bootstrap(settings)))


@contextlib.asynccontextmanager
async def live(case: Case, state: Path) -> AsyncIterator[LiveCase]:
    """Echo servers for every endpoint of any stage, and Envoys to come."""
    instance, (binary, _) = claim(state, [case.folder]), find_envoy()
    assert isinstance(instance, Instance)
    assert binary is not None
    server, fleet = AdsServer(), Fleet(binary, instance, bind_life=True)
    endpoints = {each for stage in case.stages() for each in _endpoints(stage)}
    tls = {each for stage in case.stages() for each in _tls_endpoints(stage)}
    for stage in case.stages():
        for request in case.requests_at(stage.step):
            if request.udp:
                endpoints.update(_datagrams(stage, request))
                continue
            passed = request.url.startswith("https:") and not _ended(follow(stage.view, request))
            speaking = tls if passed else endpoints
            speaking.update(_foreseen(stage, request))
    sockets = {each for stage in case.stages() for each in _sockets(stage)}
    async with echo(sorted(endpoints - tls, key=str)), tls_echo(tls), socket_echo(sockets):
        try:
            await server.start(f"unix:{instance.xds_socket}")
            yield LiveCase(instance, server, fleet)
        finally:
            await fleet.stop(drain=False)
            await server.stop()


async def observe(
    running: LiveCase, stage: Stage, request: Request, *, logged: bool = True
) -> Observed | None:
    """Send a case's request; None if it leads to no proxy, so that nothing can be sent.

    Not `logged`: without waiting for Envoy's own word on the cluster and the route.
    """
    found = follow(stage.view, request)
    if not isinstance(found, Trace):
        return None
    asked = found.request
    proxy = stage.view.proxy(asked.way.proxy)
    listener = listener_of(proxy, asked)
    if listener is None:
        return None
    way = asked.way
    proxied = isinstance(way, Destination) and way.proxied
    entry = Entry(
        connect=(listener.addresses[0], listener.port),
        destination=(way.address, way.port) if isinstance(way, Destination) and proxied else None,
        principal=asked.principal or "",
    )
    if request.udp:
        return await _datagram(listener.addresses[0], listener.port)
    tail = running.access_log(proxy.name)
    answer = await send(entry, _http(found), SECONDS)
    if isinstance(answer, Problem):
        return Observed(closed=True)
    observed = _observed(answer, request, _named(found), ended=_ended(found))
    if not logged:
        return observed
    line = await _logged(tail)
    return msgspec.structs.replace(
        observed,
        cluster=line.upstream_cluster or "",
        route=line.route_name or None,
    )


_INWARDS = ("sni~", "hello~", "connect~", "undeclared~")
"""How the clusters begin that lead to listeners inside the proxy."""


async def _logged(tail: Tail) -> AccessLine:
    """What Envoy says of the only request under way, behind what is inside it."""
    async with asyncio.timeout(SECONDS):
        while True:
            for text in tail.read():
                line = msgspec.json.decode(text, type=AccessLine)
                if not (line.upstream_cluster or "").startswith(_INWARDS):
                    return line
            await asyncio.sleep(0.02)


def _http(found: Trace) -> HttpRequest:
    asked = found.request
    return HttpRequest(
        method=asked.method,
        target=asked.path or "/",
        headers=(("host", asked.authority), ("connection", "close"), *asked.headers),
        tls_name=server_name(asked),
        verify=False,
    )


def _named(found: Trace) -> dict[str, str]:
    """By the addresses that a name on loopback resolves to: the endpoint that was foreseen."""
    names = (each.endpoint or "" for each in possible(found))
    written = (name.rpartition(":") for name in names if name and not is_socket(name))
    return {
        with_port(address, int(port)): f"{host}:{port}"
        for host, _, port in written
        if not is_ip(host.strip("[]"))
        for address in LOCAL
    }


def _ended(found: Trace | Unresolved) -> bool:
    """Whether a gateway ends the client's TLS."""
    return isinstance(found, Trace) and any(each.what == "tls" for each in found.steps)


async def _datagram(address: str, port: int) -> Observed:
    """Who answers a datagram; a port where nobody listens is closed."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[bytes | None] = loop.create_future()

    class Once(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _: object) -> None:
            if not told.done():
                told.set_result(data)

        def error_received(self, _: Exception) -> None:
            if not told.done():
                told.set_result(None)

    transport, _ = await loop.create_datagram_endpoint(Once, remote_addr=(address, port))
    try:
        transport.sendto(b"hello")
        async with asyncio.timeout(UNANSWERED):
            data = await told
    except TimeoutError:
        data = None
    finally:
        transport.close()
    return Observed(endpoint=msgspec.json.decode(data)["pod"]) if data else Observed(closed=True)


def _datagrams(stage: Stage, request: Request) -> Iterator[EchoEndpoint]:
    for each in _foreseen(stage, request):
        identity = Identity(pod=each.where)
        yield msgspec.structs.replace(each, identity=identity, mode="udp")


def _observed(
    answer: HttpAnswer, request: Request, named: dict[str, str], *, ended: bool
) -> Observed:
    told = _told(answer)
    headers = tuple((name.lower(), value) for name, value in answer.headers)
    if not told and request.tcp:
        # What speaks HTTP here is Envoy, to whom another protocol would be no request.
        return Observed(closed=True)
    if not told and answer.header("x-envoy-upstream-service-time") and _is_call(answer):
        # Whoever answers a call of gRPC that he does not know says no more than that.
        return Observed(status=answer.status, response_headers=headers)
    if not told:
        return Observed(
            status=answer.status,
            endpoint="",
            location=answer.header("location"),
            response_headers=headers,
        )
    endpoint = named.get(str(told["endpoint"]), str(told["endpoint"]))
    if request.tcp or (request.url.startswith("https:") and not ended):
        return Observed(endpoint=endpoint)
    sent: dict[str, list[str]] = msgspec.convert(told["headers"], dict[str, list[str]])
    return Observed(
        status=answer.status,
        endpoint=endpoint,
        method=str(told["method"]),
        path=str(told["path"]),
        host=str(told["host"]),
        headers=tuple((name.lower(), value) for name, each in sent.items() for value in each),
        response_headers=headers,
        location="",
    )


def _is_call(answer: HttpAnswer) -> bool:
    return answer.header("content-type") == "application/grpc"


def _told(answer: HttpAnswer) -> dict[str, object]:
    """What the echo server says; nothing if Envoy answered."""
    with contextlib.suppress(msgspec.DecodeError):
        told = msgspec.json.decode(answer.body)
        if isinstance(told, dict) and "endpoint" in told:
            return told
    return {}


def _endpoints(stage: Stage) -> Iterator[EchoEndpoint]:
    found = stage.world.pipeline.attached.catalog.endpoints.items()
    for _, endpoints in found:
        for each in endpoints:
            if is_socket(each.address):
                continue
            addresses = (each.address,) if is_ip(each.address) else LOCAL
            yield from (EchoEndpoint(address, each.port) for address in addresses)


def _foreseen(stage: Stage, request: Request) -> Iterator[EchoEndpoint]:
    """Endpoints that no object lists: where callers go, or names that they ask for."""
    for each in possible(follow(stage.view, request)):
        host, _, port = (each.endpoint or "").rpartition(":")
        if host and port.isdecimal() and int(port) >= UNPRIVILEGED:
            address = host.strip("[]")
            addresses = (address,) if is_ip(address) else LOCAL
            yield from (EchoEndpoint(each, int(port)) for each in addresses)


def _tls_endpoints(stage: Stage) -> Iterator[EchoEndpoint]:
    catalog = stage.world.pipeline.attached.catalog
    for key, backend in catalog.backends.items():
        if backend.port.protocol.is_tls:
            for each in catalog.endpoints.row(key) or ():
                yield EchoEndpoint(each.address, each.port)


@contextlib.asynccontextmanager
async def tls_echo(endpoints: set[EchoEndpoint]) -> AsyncIterator[None]:
    """Servers that take any TLS connection and say over HTTP which of them it reached."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("case.example").configure_cert(context)
    async with contextlib.AsyncExitStack() as servers:
        for endpoint in endpoints:

            async def answer(
                reader: asyncio.StreamReader,
                writer: asyncio.StreamWriter,
                endpoint: EchoEndpoint = endpoint,
            ) -> None:
                await reader.readuntil(b"\r\n\r\n")
                told = {"endpoint": endpoint.where, "headers": {}, "method": "GET"}
                body = msgspec.json.encode(told | {"path": "/", "host": ""})
                head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                writer.close()

            await servers.enter_async_context(
                listening(answer, endpoint.address, endpoint.port, ssl=context)
            )
        yield


def _sockets(stage: Stage) -> Iterator[str]:
    found = stage.world.pipeline.attached.catalog.endpoints.items()
    for _, endpoints in found:
        yield from (each.address for each in endpoints if is_socket(each.address))


@contextlib.asynccontextmanager
async def socket_echo(addresses: set[str]) -> AsyncIterator[None]:
    """Servers on Unix sockets that say over HTTP which of them it reached."""
    async with contextlib.AsyncExitStack() as servers:
        for address in addresses:

            async def answer(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str = address
            ) -> None:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, path, *_ = head.split()
                host = re.search(r"(?i)^host: (\S+)", head, re.MULTILINE)
                told = {"endpoint": address, "headers": {}, "method": method, "path": path}
                body = msgspec.json.encode(told | {"host": host[1] if host else ""})
                length = f"content-length: {len(body)}"
                writer.write(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode() + body)
                writer.close()

            path = address.removeprefix(SOCKET)
            bound = f"\0{path[1:]}" if path.startswith("@") else path
            await servers.enter_async_context(listening(answer, bound))
            if not path.startswith("@"):
                servers.callback(Path(path).unlink, missing_ok=True)
        yield


def _snapshot(stage: Stage) -> dict[str, dict[ResourceKey, Resource]]:
    found: dict[str, dict[ResourceKey, Resource]] = {}
    for key, resource in stage.world.pipeline.snapshot.items():
        found.setdefault(_name(key.proxy), {})[key.resource] = resource
    return found


def _name(proxy: Key) -> str:
    return f"{proxy.namespace}/{proxy.name}"
