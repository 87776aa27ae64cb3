"""The state-of-the-world protocol: one SotW ADS stream, without the stream.

Clusters, listeners and scopes are sent as complete sets, since Envoy drops what a set omits.  Of
the other types only what changed is sent, which the protocol allows.  A version stands for the set
that the client has once it takes a response, so that a client that comes back with it is known to
have that set.

Source: Envoy's "xDS REST and gRPC protocol"; what Envoy 1.40 was seen to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from serai.proto.envoy import ClusterLoadAssignment
from serai.xds.conversation import Conversation, Memory
from serai.xds.events import Event
from serai.xds.isolation import mentioned
from serai.xds.ledger import WILDCARD_TYPES, Flight, Ledger
from serai.xds.resource import Resource, ResourceKey, ResourceType
from serai.xds.world import Entry, Resources

WHOLE = WILDCARD_TYPES
"""Types of which each response is the complete set."""


UNKNOWN: Final = "?"
"""The version of what a client has since before this stream, where nobody knows it."""


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
        self.tainted: set[str] = set()
        """Nonces of unanswered sets that hold something of a set that was rejected."""
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
        sets: dict[ResourceType, dict[tuple[str, frozenset[str]], dict[str, Entry | str]]] = {}
        for type_, view in self._views.items():
            ledger = self.conversation.ledgers[type_]
            has = dict(ledger.held)
            known = not ledger.baseless and (type_ in WHOLE or not ledger.flights)
            sets[type_] = {(view.accepted, frozenset(view.names)): has} if known else {}
            for nonce, flight in ledger.flights.items() if type_ in WHOLE else ():
                has = {n: e for n, e in {**has, **flight.items}.items() if e is not None}
                sets[type_][view.versions[nonce], frozenset(view.names)] = has
        return Memory(self.conversation.to_remember(), {**self._memory.sets, **sets})

    def _first(self, request: SotwRequest, world: Resources, now: float) -> None:
        wildcard = not request.names and request.type in WHOLE
        claimed = world[request.type]
        names = claimed if wildcard else request.names
        held = self._held(request, {name: claimed[name] for name in names if name in claimed})
        ledger = self.conversation.begin(request.type, held or {}, now)
        ledger.baseless = held is None
        view = self._views[request.type] = View()
        view.names = request.names
        view.accepted = request.version
        self.conversation.ask_first(ledger, request.names, wildcard=wildcard)
        if request.version:
            ledger.forced.clear()  # what doesn't exist is not to be answered: it may be in use
        for name, entry in ledger.held.items():
            view.put(name, entry)

    def _held(
        self, request: SotwRequest, wanted: dict[str, Entry]
    ) -> Mapping[str, Entry | str] | None:
        """What the client has, by the version that it says to have; None if nobody knows.

        Endpoints and routes that came after the client gave up their names are not had, though
        their version is.  So of those only a stream that ended at rest is believed.
        """
        if not request.version:
            return {}
        unknown = None if request.type in WHOLE else dict.fromkeys(request.names, UNKNOWN)
        remembered = self._memory.sets.get(request.type)
        if remembered is not None:
            has = remembered.get((request.version, frozenset(request.names)))
            if has is not None or request.type not in WHOLE:
                return unknown if has is None else has
        view = View()
        for name, entry in wanted.items():
            view.put(name, entry)
        return wanted if view.version == request.version else unknown

    def _answer(self, ledger: Ledger, request: SotwRequest) -> None:
        """An answer counts for all responses up to the one it names."""
        flight = ledger.flights.get(request.nonce)
        if flight is None:
            return
        view = self._views[request.type]
        flights = [f for f in ledger.flights.values() if f.sequence <= flight.sequence]
        versions = [view.versions.pop(answered.nonce) for answered in flights]
        taken = len(flights)
        if request.error is not None:
            # A rejection names the version of the last response that was taken.
            same = (n for n, version in enumerate(versions[:-1], 1) if version == request.version)
            taken = max(same, default=0)
        for answered in flights[:taken]:
            self.conversation.accept(ledger, answered)
        if taken:
            ledger.baseless = False
            view.accepted = versions[taken - 1]
        if request.error is not None:
            self._refused(ledger, view, flights[taken:], request.error)

    def _refused(self, ledger: Ledger, view: View, flights: list[Flight], error: str) -> None:
        last = flights[-1]
        if ledger.baseless and not mentioned(tuple(last.items), error):
            self.conversation.reject_whole(ledger, last, error)
        else:
            alone = view.tainted.isdisjoint(flight.nonce for flight in flights)
            self.conversation.reject(ledger, flights, error, alone=alone)
        view.tainted = set(ledger.flights) if ledger.type in WHOLE else set()
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
        if ledger.wildcard and request.names:
            self.conversation.unsubscribe_all(ledger)
        self.conversation.unsubscribe(ledger, sorted(before - after))
        self.conversation.subscribe(ledger, sorted(after - before))
        for name in [name for name in view.entries if not ledger.subscribed(name)]:
            view.put(name, None)

    def _response(self, flight: Flight) -> SotwResponse | None:
        """None where the protocol has no way to say it: what isn't sent stays."""
        view = self._views[flight.type]
        for name, entry in flight.items.items():
            view.put(name, entry)
        entries = view.entries if flight.type in WHOLE else flight.items
        resources = [entry for entry in entries.values() if entry is not None]
        if flight.type is ResourceType.ENDPOINTS:
            resources += [_nowhere(name) for name in self._new(flight)]
        if not resources and flight.type not in WHOLE:
            return None
        view.versions[flight.nonce] = view.version
        return SotwResponse(flight.type, flight.nonce, view.version, tuple(resources))

    def _new(self, flight: Flight) -> list[str]:
        """Names in the response that do not exist, and of which the client has heard nothing."""
        ledger = self.conversation.ledgers[flight.type]
        return [
            name
            for name, entry in flight.items.items()
            if entry is None and name not in ledger.held and ledger.unsure[name] == [None]
        ]


def _nowhere(cluster: str) -> Entry:
    """No endpoints: the answer that ends the warming of a new cluster, or it takes 15 s."""
    body: Any = ClusterLoadAssignment(cluster_name=cluster)
    data = body.SerializeToString(deterministic=True)
    return Entry(Resource(ResourceType.ENDPOINTS, cluster, "", data))
