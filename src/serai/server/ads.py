"""The xDS server: both aggregated protocols over gRPC, for any number of clients."""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import structlog

from serai.ir.viewpoint import Viewpoint
from serai.server.calls import Methods
from serai.server.client import Client, ClientState
from serai.server.guard import Guard
from serai.server.listening import Listening
from serai.server.talk import Talk
from serai.server.turns import Turns
from serai.xds.conversation import Memory
from serai.xds.delta import DeltaStream
from serai.xds.events import Acknowledged, Cleared, Converged, Event, Rejected, Rejection
from serai.xds.resource import Resource, ResourceKey
from serai.xds.sotw import SotwStream
from serai.xds.wire import Node
from serai.xds.world import Changes, Place, World

log = structlog.get_logger(__name__)

SERVICE: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"

MAX_REQUEST_BYTES: Final = 32 * 1024 * 1024
"""An Envoy with 50,000 clusters that comes back names each twice, with a version: some 10 MiB."""

MAX_REMEMBERED: Final = 256
"""Clients of which something is kept after they have gone."""

AWAY_SECONDS: Final = 10.0
"""How long a client may take to come back before what it refused is no more told for its proxy."""

NOWHERE: Final[Mapping[Place, Changes | None]] = {}

RejectionsChanged = Callable[[str, Mapping[ResourceKey, Rejection]], None]

_Client = Client[Any, Any]


class Counts(msgspec.Struct, frozen=True):
    """Resources since the start, over all clients; one sent to two clients is two."""

    pushed: int = 0
    """Handed to a client's connection, each time that they were; what is taken away not."""
    acknowledged: int = 0
    rejected: int = 0
    """Found to be what a client refuses, alone or in the last part of a response."""


class ListenError(OSError):
    """Why the server cannot listen where it was told to."""


class AdsServer:
    """Serves what it was told every proxy should have, and follows what each client makes of it.

    A client says by its node's cluster which Gateway's proxy it is (``namespace/name``), and by
    its node's id which instance.  All methods belong into one event loop.
    """

    def __init__(self, on_rejections: RejectionsChanged = lambda _, __: None) -> None:
        """`on_rejections` is told a proxy's rejections whenever their set changes."""
        self.on_rejections = on_rejections
        self.on_clients: Callable[[], None] = lambda: None
        """Called when a client comes, goes, has all that it should, or rejects something."""
        self.locate: Callable[[Node], Viewpoint | None] = lambda _: None
        """Where a client is, if that is a place of its own; it is not answered before `publish`
        has named the place."""
        self.on_places: Callable[[], None] = lambda: None
        """Called when a client comes to or goes from a place of its own."""
        self.guard: Guard | None = None
        """Asked of every stream; None: whoever reaches the address is served."""
        self.counts = Counts()
        self._world = World()
        self._turns = Turns()
        self._begun = self._ready = False
        self._listening: list[Listening] = []
        self._clients: dict[str, list[_Client]] = defaultdict(list)
        self._memories: OrderedDict[Node, Memory] = OrderedDict()
        self._told: dict[str, dict[ResourceKey, Rejection]] = {}
        self._unknown: set[str] = set()
        self._reports: dict[str, asyncio.TimerHandle] = {}
        """Proxies of which it is looked soon who still refuses what was told."""

    async def start(self, address: str, context: ssl.SSLContext | None = None) -> int:
        """Listens at an address such as ``127.0.0.1:18000`` or ``unix:/path``; several may be.

        With `context` (serai.server.listening) it takes TLS, and nothing else.
        Returns the port (of use where 0 was asked for).  Raises ListenError if it can't.
        """
        methods: Methods = {
            f"/{SERVICE}/DeltaAggregatedResources": lambda call: Talk(self, call, "delta"),
            f"/{SERVICE}/StreamAggregatedResources": lambda call: Talk(self, call, "sotw"),
        }
        listening = Listening(methods, MAX_REQUEST_BYTES)
        try:
            port = await listening.start(address, context)
        except OSError as error:
            raise ListenError(f"the xDS server cannot listen at {address}: {error}") from error
        self._listening.append(listening)
        log.info("xds.listening", address=address, port=port)
        return port

    async def stop(self) -> None:
        """Ends all streams; clients keep what they have."""
        listening, self._listening = self._listening, []
        for each in listening:
            await each.stop()
        for timer in self._reports.values():
            timer.cancel()
        self._reports.clear()

    def publish(
        self,
        changes: Mapping[str, Changes],
        places: Mapping[Place, Changes | None] = NOWHERE,
    ) -> None:
        """Makes changes (None: removed) to what proxies should have, and sends them in time.

        `places` has what is different for the clients at some place; None: nobody is there.
        A proxy, and a place, is known once it is named here, be it with nothing.
        """
        changed, there = self._world.apply(changes), self._world.look(places)
        for proxy in dict.fromkeys((*changed, *(proxy for proxy, _ in there))):
            for client in self._clients.get(proxy, ()):
                self._attach(client)
                client.changed(changed.get(proxy, ()))
                if client.viewpoint is not None:
                    client.changed(there.get((proxy, client.viewpoint), ()))
            self._report(proxy)

    def places(self) -> set[Place]:
        """Where clients are that are at a place of their own."""
        return {
            (proxy, client.viewpoint)
            for proxy, clients in self._clients.items()
            for client in clients
            if client.viewpoint is not None
        }

    def mark_begun(self) -> None:
        """What is published until `mark_ready` is a part of the whole, and becomes more.

        Clients that have nothing yet get clusters and endpoints of it, by which no request is
        answered; Envoy has most of its work with them, and can begin while the rest is computed.
        """
        self._begun = True

    def mark_ready(self) -> None:
        """Everything has been read once: from now on clients are answered."""
        self._ready = True
        for clients in self._clients.values():
            for client in clients:
                self._attach(client)

    def clients(self) -> list[ClientState]:
        """The connected clients, by proxy and node."""
        states = [client.state() for clients in self._clients.values() for client in clients]
        return sorted(states, key=lambda state: (state.proxy, state.node_id, state.connected_at))

    def connected(self, talk: Talk, node: Node) -> _Client:
        """A client is here."""
        memory = self._memories.pop(node, Memory())
        delta = talk.protocol == "delta"
        stream = DeltaStream(None, memory) if delta else SotwStream(None, memory)
        viewpoint = self.locate(node)
        client: _Client = Client(
            stream, node, talk.protocol, memory, self._happened, talk, self._turns, viewpoint
        )
        self._clients[node.cluster].append(client)
        log.info("xds.connected", proxy=node.cluster, node=node.id, protocol=talk.protocol)
        self._attach(client)
        self._tell_of_clients()
        self._report_later(node.cluster)
        if viewpoint is not None:
            self.on_places()
        return client

    def disconnected(self, client: _Client) -> None:
        """It is gone."""
        node = client.node
        self._clients[node.cluster].remove(client)
        if not self._clients[node.cluster]:
            del self._clients[node.cluster]
            self._unknown.discard(node.cluster)
        self._remember(node, client.stream.memory())
        log.info("xds.disconnected", proxy=node.cluster, node=node.id)
        self._tell_of_clients()
        self._report_later(node.cluster)
        if client.viewpoint is not None:
            self.on_places()

    def acknowledged(self, proxy: str, key: ResourceKey) -> Resource | None:
        """What a client of the proxy has of a resource; None if none has it, or an unknown one."""
        for client in self._clients.get(proxy, ()):
            held = client.stream.conversation.held(key)
            if held is not None:
                return held
        return None

    def pushed(self, resources: int) -> None:
        """So many resources were handed to a client's connection."""
        self._count(pushed=resources)

    def _remember(self, node: Node, memory: Memory) -> None:
        if memory.rejections or memory.sets:
            self._memories[node] = memory
            if len(self._memories) > MAX_REMEMBERED:
                self._memories.popitem(last=False)

    def _attach(self, client: _Client) -> None:
        """Lets the client be answered as soon as there is something true to say."""
        proxy = client.node.cluster
        resources = self._world.resources(proxy, client.viewpoint)
        if client.known or not (self._ready or self._begun):
            return
        if not self._ready:
            if resources is not None:
                client.go_ahead(resources)
        elif resources is not None:
            client.attach(resources)
        elif proxy not in self._unknown and self._world.resources(proxy) is None:
            self._unknown.add(proxy)
            log.warning("xds.unknown_gateway", proxy=proxy, node=client.node.id)

    def _happened(self, client: _Client, events: list[Event]) -> None:
        node = client.node
        refusals_differ = converged = False
        for event in events:
            match event:
                case Acknowledged(versions=versions):
                    self._count(acknowledged=sum(1 for _, version in versions if version))
                case Rejected(key, rejection):
                    self._count(rejected=1)
                    refusals_differ = True
                    # A person is told of it on the objects that it came from, if there are any.
                    write = log.info if rejection.origins else log.warning
                    write(
                        "xds.rejected",
                        proxy=node.cluster,
                        node=node.id,
                        type=key.type.value,
                        name=key.name,
                        message=rejection.message,
                    )
                case Cleared(key):
                    log.info("xds.rejection_cleared", proxy=node.cluster, name=key.name)
                    refusals_differ = True
                case Converged():
                    converged = True
                    refusals_differ |= client.settle()
        # To report looks at all clients of the proxy, each of which converges after each change.
        if refusals_differ:
            self._report(node.cluster)
        if refusals_differ or converged:
            self._tell_of_clients()

    def _count(self, *, pushed: int = 0, acknowledged: int = 0, rejected: int = 0) -> None:
        counts = self.counts
        self.counts = Counts(
            counts.pushed + pushed, counts.acknowledged + acknowledged, counts.rejected + rejected
        )

    def _tell_of_clients(self) -> None:
        try:
            self.on_clients()
        except Exception:
            # Whatever is wrong with who listens, the clients must be served.
            log.exception("xds.clients_not_told")

    def _report_later(self, proxy: str) -> None:
        """Who refuses something may be gone for good, and another one take it in his place."""
        if not self._told.get(proxy):
            return
        if proxy in self._reports:
            self._reports[proxy].cancel()
        loop = asyncio.get_running_loop()
        self._reports[proxy] = loop.call_later(AWAY_SECONDS, self._report_now, proxy)

    def _report_now(self, proxy: str) -> None:
        del self._reports[proxy]
        self._report(proxy)

    def _report(self, proxy: str) -> None:
        """Tells the proxy's rejections if they differ from what was told last."""
        rejections = self._rejections(proxy)
        if rejections != self._told.get(proxy, {}):
            self._told[proxy] = rejections
            try:
                self.on_rejections(proxy, rejections)
            except Exception:
                log.exception("xds.rejections_not_told", proxy=proxy)

    def _rejections(self, proxy: str) -> dict[ResourceKey, Rejection]:
        """Of all its clients, the first word on each; of those away, as long as none is here."""
        clients = self._clients.get(proxy, ())
        said: list[Mapping[ResourceKey, Rejection]] = []
        for client in clients:
            said.append(client.stream.conversation.rejections())
            memory = client.remembered()
            if memory is not None:
                said.append(self._current(proxy, memory, client.viewpoint))
        if not clients:
            said += [
                self._current(proxy, memory, self.locate(node))
                for node, memory in self._memories.items()
                if node.cluster == proxy
            ]
        return {key: rejection for one in reversed(said) for key, rejection in one.items()}

    def _current(
        self, proxy: str, memory: Memory, viewpoint: Viewpoint | None
    ) -> dict[ResourceKey, Rejection]:
        """Remembered rejections of versions that are still what the client should have."""
        resources = self._world.resources(proxy, viewpoint)
        if resources is None:
            return {}
        return {
            key: rejection
            for key, rejection in memory.rejections.items()
            if (entry := resources[key.type].get(key.name)) is not None
            and entry.version == rejection.version
        }
