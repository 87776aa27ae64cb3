"""The state-of-the-world protocol: one SotW ADS stream, without the stream.

Clusters, listeners and scopes are sent as complete sets, since Envoy drops what a set omits.  Of
the other types only what changed is sent, which the protocol allows.  A version stands for the set
that the client has once it takes a response, so that a client that comes back with it is known to
have that set.

Source: Envoy's "xDS REST and gRPC protocol"; what Envoy 1.40 was seen to do.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from serai.xds.conversation import Conversation, Memory
from serai.xds.events import Event
from serai.xds.isolation import mentioned
from serai.xds.ledger import WILDCARD_TYPES, Flight, Ledger
from serai.xds.resource import ResourceKey, ResourceType
from serai.xds.world import Entry, Resources

WHOLE = WILDCARD_TYPES
"""Types of which each response is the complete set."""


class SotwRequest(msgspec.Struct, frozen=True):
    """What Serai reads of an envoy.service.discovery.v3.DiscoveryRequest."""

    type: ResourceType
    names: tuple[str, ...] = ()
    version: str = ""
    """Of the last response the client took."""
    nonce: str = ""
    error: str | None = None


class SotwResponse(msgspec.Struct, frozen=True):
    """What Serai writes into an envoy.service.discovery.v3.DiscoveryResponse."""

    type: ResourceType
    nonce: str
    version: str
    resources: tuple[Entry, ...]


class View:
    """What a client has of a type once it takes all that it was sent."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.names: tuple[str, ...] = ()
        """As last asked for."""
        self.versions: dict[str, str] = {}
        """Of the responses not yet answered, by nonce."""
        self.accepted = ""
        """The version of the last response that was taken."""
        self._sum = 0

    @property
    def version(self) -> str:
        """By content, whatever way led there."""
        return f"{self._sum:032x}"

    def put(self, name: str, entry: Entry | str | None) -> None:
        """Replaces what is under the name; None takes it away."""
        before = self.entries.pop(name, None)
        if before is not None:
            self._sum = (self._sum - before.digest) % (1 << 128)
        if isinstance(entry, Entry):
            self.entries[name] = entry
            self._sum = (self._sum + entry.digest) % (1 << 128)


class SotwStream:
    """One client's stream, from its first request on."""

    def __init__(
        self,
        world: Resources | None = None,
        memory: Memory = Memory(),  # noqa: B008  # frozen
    ) -> None:
        """`world` is None until it is known; `memory` is of the client's last stream."""
        self.conversation = Conversation(world, memory.rejections, WHOLE)
        self._world = world
        self._memory = memory
        self._views: dict[ResourceType, View] = {}
        self._early: dict[ResourceType, SotwRequest] = {}
        """Requests that came before the world was known, the last of each type."""

    def receive(self, request: SotwRequest, now: float) -> list[SotwResponse]:
        """What is to be sent upon a request."""
        self.hear(request, now)
        return self.tick(now)

    def hear(self, request: SotwRequest, now: float) -> None:
        """Takes a request in; what is to be sent upon it, `tick` tells."""
        if self._world is None:
            self._early[request.type] = request
            return
        ledger = self.conversation.ledgers.get(request.type)
        if ledger is None:
            self._first(request, self._world, now)
        else:
            self._answer(ledger, request)
            self._subscriptions(ledger, request)

    def update(self, changed: Iterable[ResourceKey], now: float) -> list[SotwResponse]:
        """What is to be sent after these changed in the world."""
        self.changed(changed)
        return self.tick(now)

    def changed(self, keys: Iterable[ResourceKey]) -> None:
        """These differ in the world; what is to be sent for it, `tick` tells."""
        self.conversation.changed(keys)

    def attach(self, world: Resources, now: float) -> list[SotwResponse]:
        """What is to be sent once what the proxy should have is known."""
        self._world = world
        self.conversation.attach(world)
        for request in self._early.values():
            self._first(request, world, now)
        self._early.clear()
        return self.tick(now)

    def tick(self, now: float) -> list[SotwResponse]:
        """What is to be sent since time has passed."""
        responses = []
        again = True
        while again:
            again = False
            for flight in self.conversation.due(now):
                response = self._response(flight)
                if response is not None:
                    responses.append(response)
                else:
                    self.conversation.accept(self.conversation.ledgers[flight.type], flight)
                    again = True
        return responses

    def deadline(self, now: float) -> float:
        """When `tick` must be called at the latest; infinite where only events matter."""
        return self.conversation.deadline(now)

    def events(self) -> list[Event]:
        """What happened since this was last asked."""
        return self.conversation.events()

    def memory(self) -> Memory:
        """What to keep for the client's next stream."""
        accepted = {}
        for type_, view in self._views.items():
            held = self.conversation.ledgers[type_].held
            entries = {name: entry for name, entry in held.items() if isinstance(entry, Entry)}
            accepted[type_] = (view.accepted, entries)
        return Memory(self.conversation.rejections(), accepted)

    def _first(self, request: SotwRequest, world: Resources, now: float) -> None:
        wildcard = not request.names and request.type in WHOLE
        claimed = world[request.type]
        names = claimed if wildcard else request.names
        held = self._held(request, {name: claimed[name] for name in names if name in claimed})
        ledger = self.conversation.begin(request.type, held, now)
        ledger.baseless = bool(request.version) and not held and request.type in WHOLE
        view = self._views[request.type] = View()
        view.names = request.names
        view.accepted = request.version
        self.conversation.ask_first(ledger, request.names, wildcard=wildcard)
        for name, entry in ledger.held.items():
            view.put(name, entry)

    def _held(self, request: SotwRequest, wanted: dict[str, Entry]) -> dict[str, Entry]:
        """What the client has if its version is that of a set known here."""
        if not request.version:
            return {}
        version, remembered = self._memory.accepted.get(request.type, ("", {}))
        if version == request.version:
            return dict(remembered)
        view = View()
        for name, entry in wanted.items():
            view.put(name, entry)
        return wanted if view.version == request.version else {}

    def _answer(self, ledger: Ledger, request: SotwRequest) -> None:
        """An answer counts for all responses up to the one it names."""
        flight = ledger.flights.get(request.nonce)
        if flight is None:
            return
        view = self._views[request.type]
        flights = [f for f in ledger.flights.values() if f.sequence <= flight.sequence]
        versions = [view.versions.pop(answered.nonce) for answered in flights]
        if request.error is None:
            for answered in flights:
                self.conversation.accept(ledger, answered)
            ledger.baseless = False
            view.accepted = versions[-1]
            return
        if ledger.baseless and not mentioned(tuple(flight.items), request.error):
            self.conversation.reject_whole(ledger, flight, request.error)
        else:
            self.conversation.reject(ledger, flights, request.error)
        self._revert(ledger, view, flights)

    def _revert(self, ledger: Ledger, view: View, flights: list[Flight]) -> None:
        """Of what was rejected, the client is taken to have what it had before."""
        for name in {name for flight in flights for name in flight.items}:
            if not any(name in later.items for later in ledger.flights.values()):
                view.put(name, ledger.held.get(name))

    def _subscriptions(self, ledger: Ledger, request: SotwRequest) -> None:
        view = self._views[request.type]
        if request.names == view.names:
            return
        before, after = set(view.names), set(request.names)
        view.names = request.names
        if ledger.wildcard and after:
            self.conversation.unsubscribe_all(ledger)
        self.conversation.unsubscribe(ledger, before - after)
        self.conversation.subscribe(ledger, sorted(after - before))
        for name in [name for name in view.entries if not ledger.subscribed(name)]:
            view.put(name, None)

    def _response(self, flight: Flight) -> SotwResponse | None:
        """None where the protocol has no way to say it: what isn't sent stays."""
        view = self._views[flight.type]
        for name, entry in flight.items.items():
            view.put(name, entry)
        entries = view.entries if flight.type in WHOLE else flight.items
        resources = tuple(entry for entry in entries.values() if entry is not None)
        if not resources and flight.type not in WHOLE:
            return None
        view.versions[flight.nonce] = view.version
        return SotwResponse(flight.type, flight.nonce, view.version, resources)
