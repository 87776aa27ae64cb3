"""A Gateway with two listeners, policies for them, and connections that are held."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import grpc

from live.serving import (
    SECONDS,
    Place,
    Served,
    echoed,
    eventually,
    serving,
    workload,
)

A, B, COLLECTED = 18081, 18082, 18083
MANIFESTS = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge, namespace: shop, labels: {{tier: edge}}}}
spec:
  gatewayClassName: serai
  addresses: [{{value: {gateway}}}]
  listeners:
  - {{name: a, port: 18081, protocol: HTTP}}
  - {{name: b, port: 18082, protocol: HTTP}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: api, namespace: shop}}
spec:
  hosts: [api.internal]
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 3000}}]
  resolution: STATIC
  endpoints: [{{address: {endpoint}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: collector, namespace: shop}}
spec:
  hosts: [collector.internal]
  ports: [{{number: 4317, name: grpc, protocol: GRPC, targetPort: 18083}}]
  resolution: STATIC
  endpoints: [{{address: {collector}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: api, namespace: shop}}
spec:
  parentRefs: [{{name: edge}}]
  rules:
  - name: inner
    matches: [{{headers: [{{name: x-inner, value: "yes"}}]}}]
    filters: [{{type: RequestRedirect, requestRedirect: {{hostname: inner.example}}}}]
  - name: all
    backendRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: api, port: 80}}]
"""


def policy(config: str, section: str = "", name: str = "p", age: str = "") -> str:
    """A ListenerPolicy whose spec.default is `config`."""
    where = f", sectionName: {section}" if section else ""
    created = f", creationTimestamp: '{age}'" if age else ""
    return f"""
apiVersion: gateway.kgateway.dev/v1alpha1
kind: ListenerPolicy
metadata: {{name: {name}, namespace: shop{created}}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: edge{where}}}]
  default: {config}
"""


@contextlib.asynccontextmanager
async def edge(tmp_path: Path, *policies: str) -> AsyncIterator[Served]:
    """The gateway, with policies, and an endpoint behind it."""
    place = Place()
    endpoint, collector = place.address(), place.address()
    text = MANIFESTS.format(gateway=place.gateway, endpoint=endpoint, collector=collector)
    files = {"all.yaml": text, "policy.yaml": "---\n".join(policies)}
    async with serving(tmp_path, files, [workload(endpoint, 3000, "api")], place) as served:
        yield served


def headers(found: dict[str, Any]) -> dict[str, list[str]]:
    """The headers that reached an endpoint, by names in small letters."""
    return {name.lower(): values for name, values in found["headers"].items()}


class Held:
    """A connection that is kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, path: str = "/") -> bytes:
        """The head of an answer over it; empty once it is closed."""
        async with asyncio.timeout(SECONDS):
            self._writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            await self._writer.drain()
            head = await self._reader.readuntil(b"\r\n\r\n")
            for line in head.decode().lower().splitlines():
                if line.startswith("content-length:"):
                    await self._reader.readexactly(int(line.partition(":")[2]))
            return head

    async def until_closed(self) -> None:
        """Ask again and again; raises once it is closed."""
        for _ in range(50):
            await self.ask()
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def held(address: str, port: int) -> AsyncIterator[Held]:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        yield Held(reader, writer)
    finally:
        writer.close()


RAW = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: raw, namespace: shop}}
spec:
  hosts: [raw.internal]
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 3000}}]
  resolution: STATIC
  endpoints: [{{address: {address}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: raw, namespace: shop}}
spec:
  parentRefs: [{{name: edge}}]
  rules:
  - matches: [{{path: {{value: /raw}}}}]
    backendRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: raw, port: 80}}]
"""


def settings(name: str, asked: str) -> str:
    """A policy on listener a that also says `name` in its answers, so that a change is seen."""
    return policy(f"{{httpSettings: {{serverName: {name}, {asked}}}}}", "a")


async def changed(served: Served, name: str, asked: str) -> None:
    """Write such a policy, and wait until it is in force."""
    served.write("policy.yaml", settings(name, asked))
    await eventually(
        lambda: served.to(served.place.gateway, A), lambda got: ("server", name) in got.headers
    )


async def asked(served: Served, path: str = "/", **more: Any) -> dict[str, Any]:
    return echoed(await served.to(served.place.gateway, A, path, **more))


COLLECTOR = (
    "{backendRef: {group: networking.istio.io, kind: ServiceEntry, name: collector, port: 4317}"
)


@contextlib.asynccontextmanager
async def collecting(address: str, port: int) -> AsyncIterator[list[tuple[str, bytes]]]:
    """A server of any gRPC method, and what was sent to it."""
    got: list[tuple[str, bytes]] = []

    class Anything:
        """A handler of every method.  grpcio's own class is generic for mypy only."""

        def service(self, details: Any) -> Any:
            method = details.method

            async def take(requests: AsyncIterator[bytes], _: Any) -> bytes:
                async for each in requests:  # as it comes: some streams never end
                    got.append((method, each))  # noqa: PERF401
                return b""

            return grpc.stream_unary_rpc_method_handler(take)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((cast("Any", Anything()),))
    server.add_insecure_port(f"{address}:{port}")
    await server.start()
    try:
        yield got
    finally:
        await server.stop(0)


def collector_of(served: Served) -> str:
    text = (served.folder / "all.yaml").read_text()
    return text.split("targetPort: 18083", 1)[1].split("address: ", 1)[1].split("}", 1)[0]
