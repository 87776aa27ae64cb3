"""The incremental protocol: one delta ADS stream, without the stream.

Source: Envoy's "xDS REST and gRPC protocol", incremental xDS; what Envoy 1.40 was seen to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from serai.xds.conversation import Conversation, Memory
from serai.xds.events import Event
from serai.xds.ledger import WILDCARD_TYPES, Flight, Ledger
from serai.xds.resource import ResourceKey, ResourceType
from serai.xds.world import Entry, Resources

WILDCARD: Final = "*"


class DeltaRequest(msgspec.Struct, frozen=True):
    """What Serai reads of an envoy.service.discovery.v3.DeltaDiscoveryRequest."""

    type: ResourceType
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial_versions: dict[str, str] = {}
    nonce: str = ""
    error: str | None = None
    """Set where the request rejects the response that the nonce names."""


class DeltaResponse(msgspec.Struct, frozen=True):
    """What Serai writes into an envoy.service.discovery.v3.DeltaDiscoveryResponse."""

    type: ResourceType
    nonce: str
    resources: tuple[Entry, ...]
    removed: tuple[str, ...]


class DeltaStream:
    """One client's stream, from its first request on.

    Names that don't exist are answered as removed, but for route configurations.  By such an
    answer Envoy 1.40 ends the warming of a cluster that waits for endpoints, and of a listener
    that waits for a filter chain.  About a route configuration the answer changes nothing.
    """

    def __init__(
        self,
        world: Resources | None = None,
        memory: Memory = Memory(),  # noqa: B008  # frozen
    ) -> None:
        """`world` is None until it is known; `memory` is of the client's last stream."""
        self.conversation = Conversation(world, memory.rejections)

    def receive(self, request: DeltaRequest, now: float) -> list[DeltaResponse]:
        """What is to be sent upon a request."""
        self.hear(request, now)
        return self.tick(now)

    def hear(self, request: DeltaRequest, now: float) -> None:
        """Takes a request in; what is to be sent upon it, `tick` tells."""
        ledger = self.conversation.ledgers.get(request.type)
        if ledger is None:
            self._first(request, now)
        else:
            self._answer(ledger, request)
            self._subscriptions(ledger, request)

    def update(self, changed: Iterable[ResourceKey], now: float) -> list[DeltaResponse]:
        """What is to be sent after these changed in the world."""
        self.changed(changed)
        return self.tick(now)

    def changed(self, keys: Iterable[ResourceKey]) -> None:
        """These differ in the world; what is to be sent for it, `tick` tells."""
        self.conversation.changed(keys)

    def attach(self, world: Resources, now: float) -> list[DeltaResponse]:
        """What is to be sent once what the proxy should have is known."""
        self.conversation.attach(world)
        return self.tick(now)

    def tick(self, now: float) -> list[DeltaResponse]:
        """What is to be sent since time has passed."""
        return [_response(flight) for flight in self.conversation.due(now)]

    def deadline(self, now: float) -> float:
        """When `tick` must be called at the latest; infinite where only events matter."""
        return self.conversation.deadline(now)

    def events(self) -> list[Event]:
        """What happened since this was last asked."""
        return self.conversation.events()

    def memory(self) -> Memory:
        """What to keep for the client's next stream."""
        return Memory(self.conversation.to_remember())

    def _first(self, request: DeltaRequest, now: float) -> None:
        ledger = self.conversation.begin(request.type, request.initial_versions, now)
        names = [name for name in request.subscribe if name != WILDCARD]
        legacy = not request.subscribe and request.type in WILDCARD_TYPES
        wildcard = legacy or WILDCARD in request.subscribe
        self.conversation.ask_first(ledger, names, wildcard=wildcard)

    def _answer(self, ledger: Ledger, request: DeltaRequest) -> None:
        flight = ledger.flights.get(request.nonce)
        if flight is None:
            return
        if request.error is None:
            self.conversation.accept(ledger, flight)
        else:
            self.conversation.reject(ledger, [flight], request.error)

    def _subscriptions(self, ledger: Ledger, request: DeltaRequest) -> None:
        conversation = self.conversation
        names = [name for name in request.unsubscribe if name != WILDCARD]
        if WILDCARD in request.unsubscribe:
            conversation.unsubscribe_all(ledger)
        conversation.unsubscribe(ledger, names)
        if WILDCARD in request.subscribe:
            conversation.subscribe_all(ledger)
        conversation.subscribe(ledger, [name for name in request.subscribe if name != WILDCARD])


def _response(flight: Flight) -> DeltaResponse:
    return DeltaResponse(
        type=flight.type,
        nonce=flight.nonce,
        resources=tuple(entry for entry in flight.items.values() if entry is not None),
        removed=tuple(name for name, entry in flight.items.items() if entry is None),
    )
