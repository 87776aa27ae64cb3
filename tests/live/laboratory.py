"""A server, a real Envoy and backends, and resources made by hand, for them to talk about."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import pytest
from google.protobuf import json_format

from live.envoys import free_port, the_envoy
from serai.api.meta import Key
from serai.envoy.bootstrap import BootstrapSettings, UnixSocket, bootstrap, render
from serai.envoy.fleet import Fleet
from serai.envoy.launch import GatewaySpec
from serai.envoy.state import Instance, claim
from serai.ir.origin import Origin
from serai.proto.pool import POOL, message
from serai.server.ads import AdsServer
from serai.server.client import ClientState
from serai.xds.events import Rejection
from serai.xds.resource import Resource, ResourceKey, ResourceType

PROXY = "shop/waypoint"
SECONDS = 8.0
HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
TCP_PROXY = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"
ANY = "type.googleapis.com/"
ADS = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
Protocol = Literal["delta", "sotw"]
both = pytest.mark.parametrize("protocol", ["delta", "sotw"])


def made(type_: ResourceType, name: str, body: dict[str, Any]) -> Resource:
    parsed: Any = json_format.ParseDict(body, message(type_.value)(), descriptor_pool=POOL)
    data = parsed.SerializeToString(deterministic=True)
    origin = Origin(Key("HTTPRoute", "shop", name))
    return Resource(type_, name, sha256(data).hexdigest()[:16], data, (origin,))


def cluster(name: str, **more: Any) -> Resource:
    body = {"name": name, "type": "EDS", "eds_cluster_config": {"eds_config": ADS}, **more}
    return made(ResourceType.CLUSTER, name, body)


def endpoints(name: str, port: int, host: str = "127.0.0.1") -> Resource:
    address = {"socket_address": {"address": host, "port_value": port}}
    localities = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return made(ResourceType.ENDPOINTS, name, {"cluster_name": name, "endpoints": localities})


def routes(name: str, to: str, **match: Any) -> Resource:
    route = {"match": match or {"prefix": "/"}, "route": {"cluster": to}}
    hosts = [{"name": "v", "domains": ["*"], "routes": [route]}]
    return made(ResourceType.ROUTES, name, {"name": name, "virtual_hosts": hosts})


def scope(name: str) -> Resource:
    key = {"fragments": [{"string_key": name}]}
    body = {"name": name, "route_configuration_name": name, "key": key}
    return made(ResourceType.SCOPE, name, body)


def listener(port: int) -> Resource:
    extractor = {"name": "x-service", "index": 0}
    manager = {
        "@type": ANY + HCM,
        "stat_prefix": "test",
        "scoped_routes": {
            "name": "scopes",
            "scope_key_builder": {"fragments": [{"header_value_extractor": extractor}]},
            "rds_config_source": ADS,
            "scoped_rds": {"scoped_rds_config_source": ADS},
        },
        "http_filters": [{"name": "router", "typed_config": {"@type": ANY + ROUTER}}],
    }
    body = {
        "name": "listener",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return made(ResourceType.LISTENER, "listener", body)


def tcp_listener(port: int, chain: str) -> Resource:
    """All connections go to the chain."""
    value = {"@type": ANY + "google.protobuf.StringValue", "value": chain}
    action = {"name": chain, "typed_config": value}
    body = {
        "name": "tcp",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "fcds_config": {"config_source": ADS},
        "filter_chain_matcher": {"on_no_match": {"action": action}},
    }
    return made(ResourceType.LISTENER, "tcp", body)


def chain(name: str, to: str) -> Resource:
    proxy = {"@type": ANY + TCP_PROXY, "stat_prefix": name, "cluster": to}
    body = {"name": name, "filters": [{"name": "tcp", "typed_config": proxy}]}
    return made(ResourceType.FILTER_CHAIN, name, body)


def service(name: str, port: int) -> tuple[Resource, ...]:
    return cluster(name), endpoints(name, port), scope(name), routes(name, name)


NEVER_ASKED_FOR = {ResourceType.FILTER_CHAIN, ResourceType.SECRET, ResourceType.EXTENSION}
"""By an Envoy whose one listener serves HTTP in plain."""

BAD_ROUTES = {"safe_regex": {"regex": "("}}
BAD_CLUSTER: dict[str, Any] = {
    "health_checks": [
        {
            "timeout": "1s",
            "interval": "1s",
            "unhealthy_threshold": 1,
            "healthy_threshold": 1,
            "grpc_health_check": {},  # without HTTP/2
        }
    ]
}


class Lab:
    """A server, an Envoy, and two backends that answer with their names."""

    def __init__(self, instance: Instance, protocol: Protocol) -> None:
        self.instance = instance
        self.protocol: Protocol = protocol
        self.port = free_port()
        self.one = 0
        self.two = 0
        self.told: dict[ResourceKey, Rejection] = {}
        self.world: dict[ResourceKey, Resource] = {}
        self.server = AdsServer(self._tell)
        self.statuses: list[int] = []

    def _tell(self, _: str, rejections: Any) -> None:
        self.told = dict(rejections)

    def publish(self, *resources: Resource, gone: tuple[Resource, ...] = ()) -> None:
        changes: dict[ResourceKey, Resource | None] = {made.key: made for made in resources}
        changes.update(dict.fromkeys(made.key for made in gone))
        for key, resource in changes.items():
            if resource is None:
                self.world.pop(key, None)
            else:
                self.world[key] = resource
        self.server.publish({PROXY: changes})

    async def serve(self) -> None:
        """Starts the server, or a new one that has read the same world."""
        self.server = AdsServer(self._tell)
        self.server.publish({PROXY: dict(self.world)})
        self.server.mark_ready()
        self.instance.xds_socket.unlink(missing_ok=True)
        await self.server.start(f"unix:{self.instance.xds_socket}")

    def spec(self) -> GatewaySpec:
        settings = BootstrapSettings(
            gateway=PROXY,
            node_id="test",
            xds=UnixSocket(str(self.instance.xds_socket)),
            protocol=self.protocol,
        )
        return GatewaySpec(bootstrap=render(bootstrap(settings)), concurrency=2, drain_seconds=1)

    async def get(self, service: str, port: int = 0) -> str:
        """Status and body of one request."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port or self.port)
        except ConnectionRefusedError:
            return "refused"
        with contextlib.closing(writer):
            try:
                return await exchange(reader, writer, service)
            except (ConnectionError, asyncio.IncompleteReadError):
                return "reset"

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():  # noqa: ASYNC110  # Envoy tells nobody
                await asyncio.sleep(0.01)

    async def answers(self, service: str, with_: str, port: int = 0) -> None:
        said = ""
        try:
            async with asyncio.timeout(SECONDS):
                while said != with_:
                    said = await self.get(service, port)
        except TimeoutError:
            pytest.fail(f"{service} answers {said}, not {with_}; rejected: {self.told}")

    async def converged(self) -> ClientState:
        def done() -> bool:
            states = self.server.clients()
            return (
                bool(states)
                and len(states[0].types) == len(ResourceType) - len(NEVER_ASKED_FOR)
                and not any(type_.pending for type_ in states[0].types)
            )

        await self.until(done)
        return self.server.clients()[0]

    @contextlib.asynccontextmanager
    async def load(self, *services: str) -> AsyncIterator[list[str]]:
        """Requests without a pause; what came of them."""
        results: list[str] = []

        async def send(service: str) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            with contextlib.closing(writer):
                while True:
                    results.append(await exchange(reader, writer, service))

        sending = [asyncio.create_task(send(service)) for service in services]
        try:
            yield results
        finally:
            failed = [task for task in sending if task.done()]
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
        assert not failed, failed[0].exception()
        assert results


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, service: str) -> str:
    writer.write(f"GET / HTTP/1.1\r\nhost: x\r\nx-service: {service}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = next(
        (int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0
    )
    return f"{head[9:12]} {(await reader.readexactly(length)).decode()}".strip()


@contextlib.asynccontextmanager
async def backend(name: str) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(
                    f"HTTP/1.1 200 OK\r\ncontent-length: {len(name)}\r\n\r\n{name}".encode()
                )
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.asynccontextmanager
async def lab(root: Path, protocol: Protocol, *resources: str) -> AsyncIterator[Lab]:
    """An Envoy that serves the named services from backend one."""
    instance = claim(root, ["files"])
    assert isinstance(instance, Instance)
    made = Lab(instance, protocol)
    fleet = Fleet(the_envoy(), instance, bind_life=True)
    async with backend("one") as made.one, backend("two") as made.two:
        made.publish(listener(made.port))
        for name in resources:
            made.publish(*service(name, made.one))
        await made.serve()
        try:
            await fleet.ensure({PROXY: made.spec()})
            yield made
        finally:
            await fleet.stop(drain=False)
            await made.server.stop()
            instance.release()
