"""Echo servers in place of the workloads of a folder."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Self

import msgspec

from serai.app.demo.authority import Authority
from serai.app.demo.steps import Server
from serai.app.offline import Folder
from serai.app.pipeline import Pipeline
from serai.echo import OVER_TLS, EchoEndpoint, Identity, Mode, Tls, echo
from serai.echo.http import HEALTH
from serai.ir.tls import UpstreamTls
from serai.model.service import Backend
from serai.model.settings import Settings

Socket = tuple[str, int]


class StandIn(msgspec.Struct, frozen=True):
    """An echo server, and whom its certificate is for, if it speaks TLS."""

    endpoint: EchoEndpoint
    shows: tuple[str, ...] = ()
    trusted: bool = True
    """Whether the certificate is by the authority that clients know."""

    @property
    def socket(self) -> Socket:
        """Where it listens."""
        return self.endpoint.address, self.endpoint.port


class StandIns:
    """Runs them, while it is entered."""

    def __init__(
        self, authority: Authority | None = None, stranger: Authority | None = None
    ) -> None:
        """`authority` signs what those over TLS present, `stranger` what nobody should trust.

        Without an authority, what should speak TLS does not.
        """
        self.running: dict[Socket, StandIn] = {}
        """All that were ever begun."""
        self._authority, self._stranger = authority, stranger
        self._open: dict[Socket, contextlib.AsyncExitStack] = {}
        self._state: dict[Socket, str] = {}
        self._lock = asyncio.Lock()

    async def stand_in(self, pipeline: Pipeline) -> list[EchoEndpoint]:
        """Servers for the endpoints that have none yet, which are returned.

        Those whose endpoint has gone stay: nothing is sent to them any more.  OSError, naming the
        endpoint, if one can't be had; then none of the new ones is.
        """
        async with self._lock:
            found = stand_ins(pipeline, tls=self._authority is not None)
            new = [each for each in found if each.socket not in self.running]
            async with contextlib.AsyncExitStack() as begun:
                opened = {each.socket: await self._begin(each, begun) for each in new}
                begun.pop_all()
            self._open |= opened
            self.running |= {each.socket: each for each in new}
            return [each.endpoint for each in new]

    async def become(self, server: Server) -> None:
        """Begin, end, or change a server.  OSError if it can't listen, ValueError for no address.

        What it was before stays as far as nothing else is said.
        """
        async with self._lock:
            where = _socket(server.at)
            wanted = _stand_in(server, where, self.running.get(where))
            same = wanted == self.running.get(where) and where in self._open
            self._state[where] = server.becomes
            if server.becomes != "gone" and same:
                return
            if (running := self._open.pop(where, None)) is not None:
                await running.aclose()
            self.running[where] = wanted
            if server.becomes != "gone":
                self._open[where] = await self._begin(wanted)

    async def _begin(
        self, stand_in: StandIn, also: contextlib.AsyncExitStack | None = None
    ) -> contextlib.AsyncExitStack:
        """What ends it; `also` ends it too."""
        stack = contextlib.AsyncExitStack()
        served = echo([stand_in.endpoint], tls=self._presented(stand_in), well=self._is_well)
        await stack.enter_async_context(served)
        if also is not None:
            also.push_async_callback(stack.aclose)
        return stack

    def _presented(self, stand_in: StandIn) -> Tls | None:
        signer = self._authority if stand_in.trusted else self._stranger
        if signer is None or stand_in.endpoint.mode not in OVER_TLS:
            return None
        return signer.issue(stand_in.shows or ("localhost",))

    def _is_well(self, endpoint: EchoEndpoint, target: str) -> bool:
        state = self._state.get((endpoint.address, endpoint.port))
        return state != ("failing" if target == HEALTH else "useless")

    async def __aenter__(self) -> Self:
        """Nothing runs yet."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Ends all of them."""
        while self._open:
            await self._open.popitem()[1].aclose()


def stand_ins(pipeline: Pipeline, *, tls: bool = False) -> tuple[StandIn, ...]:
    """An echo server for each endpoint on loopback, each said to be the workload it stands for.

    What is not on loopback is somebody else's and gets none.  With `tls` they speak TLS where
    what is sent to them does.
    """
    catalog = pipeline.attached.catalog
    workloads = {
        (key.namespace, address): key.name
        for key, workload in sorted(catalog.workloads.items())
        for address in workload.addresses
    }
    over_tls = {
        key.name
        for key, cluster in pipeline.translated.clusters.items()
        if tls and any(isinstance(leaf, UpstreamTls) for leaf in cluster.leaves)
    }
    found: dict[Socket, StandIn] = {}
    for key, endpoints in sorted(catalog.endpoints.items()):
        backend = catalog.backends.row(key)
        for endpoint in endpoints if backend else ():
            address = on_loopback(endpoint.address)
            if address and backend:
                encrypted = pipeline.attached.cluster_names.row(key) in over_tls
                pod = workloads.get((key.service.namespace, address), "")
                mode = _mode(backend, over_tls=encrypted or (tls and backend.port.protocol.is_tls))
                new = _named(backend, EchoEndpoint(address, endpoint.port, mode=mode), pod)
                found.setdefault(new.socket, new)
    return tuple(found.values())


def servers(listed: Iterable[Server]) -> tuple[StandIn, ...]:
    """Those that a script lists.  ValueError for one that has no address on loopback."""
    return tuple(_stand_in(each, _socket(each.at), None) for each in listed)


def _named(backend: Backend, endpoint: EchoEndpoint, pod: str) -> StandIn:
    service = backend.key.service
    identity = Identity(pod or service.name, service.namespace, service.name)
    shows = (backend.key.host,) if endpoint.mode in OVER_TLS else ()
    return StandIn(msgspec.structs.replace(endpoint, identity=identity), shows)


def _mode(backend: Backend, *, over_tls: bool) -> Mode:
    protocol = backend.port.protocol
    if over_tls:
        # Our own client asks by HTTP what it reaches by TLS.
        return "https" if protocol.is_http or protocol.is_tls else "tls"
    return "http" if protocol.may_be_http else "tcp"


def _stand_in(server: Server, where: Socket, before: StandIn | None) -> StandIn:
    """A server as it is listed; what is not said of it is as before."""
    known = before or StandIn(EchoEndpoint(*where))
    endpoint = known.endpoint
    if server.speaks:
        endpoint = msgspec.structs.replace(endpoint, mode=server.speaks)
    if server.name:
        endpoint = msgspec.structs.replace(endpoint, identity=Identity(server.name))
    return StandIn(endpoint, server.shows or known.shows, server.trusted)


def _socket(where: str) -> Socket:
    host, _, port = where.rpartition(":")
    address = on_loopback(host)
    if not address or not port.isdecimal():
        raise ValueError(f"{where!r} is not ADDRESS:PORT on loopback")
    return address, int(port)


def on_loopback(address: str) -> str:
    """The address, or that of a name; empty if it is not on loopback."""
    try:
        return str(address) if ip_address(address).is_loopback else ""
    except ValueError:
        pass
    # RFC 6761: such names are on loopback; others would ask a resolver of somebody else's.
    if address != "localhost" and not address.endswith(".localhost"):
        return ""
    found = socket.getaddrinfo("localhost", None, socket.AF_INET, socket.SOCK_STREAM)
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
