"""Echo servers in place of the workloads of a folder."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from serai.app.offline import Folder
from serai.app.pipeline import Pipeline
from serai.echo import EchoEndpoint, Identity, echo
from serai.model.service import Backend
from serai.model.settings import Settings

Socket = tuple[str, int]


class StandIns:
    """Runs them, while it is entered."""

    def __init__(self) -> None:
        self.running: dict[Socket, EchoEndpoint] = {}
        self._open = contextlib.AsyncExitStack()
        self._lock = asyncio.Lock()

    async def stand_in(self, pipeline: Pipeline) -> list[EchoEndpoint]:
        """Servers for the endpoints that have none yet, which are returned.

        Those whose endpoint has gone stay: nothing is sent to them any more.  OSError, naming the
        endpoint, if one can't be had; then none of the new ones is.
        """
        async with self._lock:
            new = {
                (each.address, each.port): each
                for each in stand_ins(pipeline)
                if (each.address, each.port) not in self.running
            }
            if new:
                await self._open.enter_async_context(echo(new.values()))
                self.running |= new
            return list(new.values())

    async def __aenter__(self) -> Self:
        """Nothing runs yet."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Ends all of them."""
        await self._open.aclose()


def stand_ins(pipeline: Pipeline) -> tuple[EchoEndpoint, ...]:
    """An echo endpoint for each endpoint on loopback, each said to be the workload it stands for.

    What is not on loopback is somebody else's and gets none.
    """
    catalog = pipeline.attached.catalog
    workloads = {
        (key.namespace, address): key.name
        for key, workload in sorted(catalog.workloads.items())
        for address in workload.addresses
    }
    found: dict[Socket, EchoEndpoint] = {}
    for key, endpoints in sorted(catalog.endpoints.items()):
        backend = catalog.backends.row(key)
        for endpoint in endpoints if backend else ():
            address = _on_loopback(endpoint.address)
            if address and backend:
                pod = workloads.get((key.service.namespace, address), "")
                found.setdefault(
                    (address, endpoint.port), _endpoint(backend, address, endpoint.port, pod)
                )
    return tuple(found.values())


def _endpoint(backend: Backend, address: str, port: int, pod: str) -> EchoEndpoint:
    service = backend.key.service
    return EchoEndpoint(
        address,
        port,
        Identity(pod or service.name, service.namespace, service.name),
        "http" if backend.port.protocol.is_http else "tcp",
    )


def _on_loopback(address: str) -> str:
    """The address, or that of a name; empty if it is not on loopback."""
    try:
        return str(address) if ip_address(address).is_loopback else ""
    except ValueError:
        pass
    if address != "localhost":  # other names would ask a resolver of somebody else's
        return ""
    found = socket.getaddrinfo(address, None, socket.AF_INET, socket.SOCK_STREAM)
    return str(found[0][4][0])


async def follow(
    servers: StandIns, paths: Sequence[Path], settings: Settings, say: Callable[[str], None]
) -> None:
    """Stand in for what some files name, now and after each change, until cancelled."""
    folder = Folder(paths, settings)
    found = await asyncio.to_thread(folder.read)
    _tell(await servers.stand_in(found.pipeline), say)
    if not servers.running:
        say("no endpoint here is on loopback; waiting for one")
    async for batch in folder.source.changes():
        _tell(await servers.stand_in(folder.apply(batch).pipeline), say)


def _tell(new: Iterable[EchoEndpoint], say: Callable[[str], None]) -> None:
    for each in new:
        identity = each.identity
        say(f"{each.where:24} {each.mode:5} {identity.namespace}/{identity.pod}")
