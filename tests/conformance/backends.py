"""The suite's backends as echo servers on loopback, as long as this process tests."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from conformance.certificates import programmatic
from conformance.world import Object, World
from serai.echo import EchoEndpoint, EchoRequest, Identity, Tls, echo
from serai.echo.endpoint import Mode
from serai.echo.tls import agreed, server_context

WELCOME = b"Gateway API Test TCP Server\n"
ADVANCED: tuple[tuple[Mode, int], ...] = (("http", 8080), ("h2c", 7070), ("tcp", 9090))
"""What echo-advanced, the mesh's server, is told to listen on."""


class Backends:
    """Servers in a thread of their own; what stands for a pod stays until the end."""

    def __init__(self, folder: Path) -> None:
        self.echoed: Counter[tuple[str, str, str]] = Counter()
        """By namespace, pod and path: ``Echoing back request made to <path> to client``."""
        self._folder = folder
        self._running: set[str] = set()
        self._open = contextlib.AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def ensure(self, world: World) -> None:
        """Start what a test needs and does not run yet."""
        for deployment in world.deployments:
            metadata = deployment["metadata"]
            pods = world.pods[metadata["namespace"], metadata["name"]]
            for pod, address in pods:
                if address not in self._running:
                    self._running.add(address)
                    self._wait(self._start(deployment, pod, address))

    def close(self) -> None:
        """End them all."""
        self._wait(self._open.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self, deployment: Object, pod: str, address: str) -> None:
        spec = deployment["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        env = {each["name"]: each.get("value", "") for each in container.get("env", ())}
        namespace = deployment["metadata"]["namespace"]
        identity = Identity(pod, namespace, env.get("SERVICE_NAME", ""))
        tls = self._tls(namespace, spec)
        if "coredns" in container["image"]:
            await self._datagrams(address, 53, Names())
            return
        if "TCP_ECHO_SERVER" in env:
            await self._talk(identity, address, tls)
        http: list[tuple[Mode, int]] = []
        if "echo-advanced" in container["image"]:
            http = [*ADVANCED]
        elif "GRPC_ECHO_SERVER" in env:
            http = [("h2c", 3000)]
        elif not {"TCP_ECHO_SERVER", "UDP_ECHO_SERVER"} & env.keys():
            http = [("http", 3000), ("h2c", 3001)]
        if http and tls is not None:
            http.append(("https", 8443))
        if "UDP_ECHO_SERVER" in env:
            http.append(("udp", 8080))
        endpoints = [EchoEndpoint(address, port, identity, mode) for mode, port in http]
        await self._open.enter_async_context(echo(endpoints, tls=tls, observe=self._observe))

    def _observe(self, request: EchoRequest) -> None:
        identity = request.endpoint.identity
        self.echoed[identity.namespace, identity.pod, request.target] += 1

    def _tls(self, namespace: str, spec: Object) -> Tls | None:
        """What its volumes hold, in files."""
        found: dict[str, Path] = {}
        for volume in spec.get("volumes", ()):
            kind, source = (
                ("Secret", volume.get("secret"))
                if "secret" in volume
                else (
                    "ConfigMap",
                    volume.get("configMap"),
                )
            )
            name = source.get("secretName") or source.get("name")
            for each in programmatic():
                metadata = each["metadata"]
                if (each["kind"], metadata["namespace"], metadata["name"]) != (
                    kind,
                    namespace,
                    name,
                ):
                    continue
                for field, value in each["data"].items():
                    path = self._folder / f"{namespace}-{name}-{field}"
                    path.write_bytes(
                        base64.b64decode(value) if kind == "Secret" else value.encode()
                    )
                    found[field] = path
        if "tls.crt" not in found:
            return None
        return Tls(found["tls.crt"], found["tls.key"], found.get("ca.crt"))

    async def _talk(self, identity: Identity, address: str, tls: Tls | None) -> None:
        context = server_context(tls) if tls else None
        for port, over in ((3000, None), (8443, context)):
            if port == 3000 or over is not None:

                async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                    with contextlib.suppress(OSError):
                        await _dialog(identity, reader, writer)

                server = await asyncio.start_server(talk, address, port, ssl=over)
                self._open.callback(server.close)

    async def _datagrams(self, address: str, port: int, protocol: asyncio.DatagramProtocol) -> None:
        transport, _ = await self._loop.create_datagram_endpoint(
            lambda: protocol, local_addr=(address, port)
        )
        self._open.callback(transport.close)


async def _dialog(
    identity: Identity, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """The suite's TCP server: it speaks first, and answers three words."""
    tls = agreed(writer.get_extra_info("ssl_object"))
    told: dict[str, Any] = {
        "namespace": identity.namespace,
        "service": identity.service,
        "pod": identity.pod,
        "isTLS": tls is not None,
    }
    if tls is not None:
        told["tls"] = tls
    answers = {
        b"PING": "PONG",
        b"IS_TLS": "true" if tls is not None else "false",
        b"TEST": json.dumps(told),
    }
    writer.write(WELCOME)
    async for line in reader:
        if line.strip() in answers:
            writer.write(answers[line.strip()].encode() + b"\n")
    writer.close()


class Names(asyncio.DatagramProtocol):
    """CoreDNS with ``whoami``: an answer to any question, which carries who asked."""

    def __init__(self) -> None:
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        question = data[12 : data.index(b"\0", 12) + 5]
        head = data[:2] + b"\x84\x00" + b"\0\1\0\0\0\0\0\1"
        asker = bytes(int(part) for part in addr[0].split("."))
        record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + asker
        self._transport.sendto(head + question + record, addr)
