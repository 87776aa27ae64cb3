"""What one client wants and has of one resource type, by its own acknowledgements."""

from __future__ import annotations

import math
from enum import Enum
from typing import Final

import msgspec

from serai.xds.events import Rejection
from serai.xds.isolation import Part, Trials
from serai.xds.resource import ResourceType
from serai.xds.uses import Uses
from serai.xds.world import Entry

WILDCARD_TYPES: Final = frozenset({ResourceType.CLUSTER, ResourceType.LISTENER, ResourceType.SCOPE})
"""Where a first request without names means all.  Envoy asks for the others by name."""


class Flight(msgspec.Struct, frozen=True):
    """A response that is not yet answered."""

    type: ResourceType
    sequence: int
    """Rises with every response of the stream."""
    sent_at: float
    items: dict[str, Entry | None]
    """None for a removal.  Names that the client unsubscribes from meanwhile are taken out."""
    size: int
    """How many names the response was sent with."""
    part: Part | None = None
    """Set where the response is part of one that was rejected."""

    @property
    def nonce(self) -> str:
        """What the client answers with."""
        return str(self.sequence)


class Step(Enum):
    """What to do about a name, where it isn't to send an Entry."""

    NOTHING = "nothing"
    REMOVE = "remove"


class Ledger:
    """One type's half of a conversation: subscriptions, what was sent, what was answered.

    `held` is what the client acknowledged last.  `unsure` is what was sent since and is not
    settled: of a rejected response, Envoy may have applied any part.
    """

    def __init__(self, type_: ResourceType, uses: Uses) -> None:
        self.type = type_
        self.wildcard = False
        self.baseless = False
        """Whether the client has resources that nobody here knows, and loses what isn't sent."""
        self.greeting = False
        """Whether the client waits for a first answer, be there nothing in it."""
        self.names: dict[str, None] = {}
        """Subscribed by name, in the order of asking; `*` is not among them."""
        self.held: dict[str, Entry | str] = {}
        """A mere version where the client came with one that the world doesn't have."""
        self.unsure: dict[str, list[Entry | None]] = {}
        self.flights: dict[str, Flight] = {}
        self.dirty: dict[str, None] = {}
        """To be compared with the world, in this order."""
        self.forced: set[str] = set()
        """To be sent even if the version is unchanged."""
        self.waiting: dict[str, float] = {}
        """Additions that wait for what they name, and when they stop waiting."""
        self.kept: dict[str, float] = {}
        """Removals that wait for what names them, and when they stop waiting."""
        self.trials = Trials()
        self.rejected: dict[str, Rejection] = {}
        self.strangers = 0
        """How many of `held` are mere versions: nobody knows what those name."""
        self._uses = uses

    def subscribed(self, name: str) -> bool:
        """Whether the client wants to know about the name."""
        return self.wildcard or name in self.names

    def resume(self, name: str, held: Entry | str) -> None:
        """The client says that it has this already."""
        self._hold(name, held)
        if isinstance(held, Entry):
            self._uses.add(held)

    def force(self, name: str) -> None:
        """The client gets the name's current state whatever it has."""
        self.forced.add(name)
        self.dirty[name] = None

    def forget(self, name: str) -> None:
        """The client doesn't want to know about the name any more; late answers are dropped."""
        self._hold(name, None)
        for entry in self.unsure.pop(name, ()):
            self._uses.drop(entry)
        for flight in self.flights.values():
            flight.items.pop(name, None)
        self.settled(name)
        self.rejected.pop(name, None)

    def settled(self, name: str) -> None:
        """Nothing is left to be done about the name."""
        self.dirty.pop(name, None)
        self.forced.discard(name)
        self.waiting.pop(name, None)
        self.kept.pop(name, None)

    def step(self, name: str, want: Entry | None) -> Entry | Step:
        """What has to be sent for the name, if anything, to bring the client to `want`."""
        if not self.subscribed(name):
            return Step.NOTHING
        if want is None:
            unanswered = name in self.forced and self.type is not ResourceType.ROUTES
            present = name in self.held or name in self.unsure
            return Step.REMOVE if present or unanswered else Step.NOTHING
        if name in self.rejected and self.rejected[name].version == want.version:
            return self._instead(name)
        if name in self.forced or name in self.unsure:
            return want
        return want if self.held_version(name) != want.version else Step.NOTHING

    def _instead(self, name: str) -> Entry | Step:
        """What is sent in place of a rejected version, where something must be sent."""
        held = self.held.get(name)
        if name not in self.forced and name not in self.unsure:
            return Step.NOTHING
        if isinstance(held, Entry):
            return held
        # A cluster that changed waits for its endpoints; Envoy 1.40 takes this for an answer and
        # leaves the endpoints it has in place.
        return Step.REMOVE if self.type is ResourceType.ENDPOINTS else Step.NOTHING

    def held_version(self, name: str) -> str | None:
        """The version the client acknowledged last; None if it has none."""
        held = self.held.get(name)
        return held.version if isinstance(held, Entry) else held

    def going(self, name: str) -> bool:
        """Whether a removal of the name was sent and may have been applied."""
        return None in self.unsure.get(name, ())

    def send(self, flight: Flight) -> None:
        """The response is on its way."""
        self.flights[flight.nonce] = flight
        for name, entry in flight.items.items():
            self.unsure.setdefault(name, []).append(entry)
            self._uses.add(entry)
            self.settled(name)

    def accept(self, flight: Flight) -> None:
        """The client took the response."""
        for name, entry in flight.items.items():
            sent = self.unsure[name]
            while (passed := sent.pop(0)) is not entry:
                self._uses.drop(passed)
            if not sent:
                del self.unsure[name]
            self._hold(name, entry)
        if flight.part is not None:
            self.trials.accept(flight.part)

    def refuse(self, name: str, entry: Entry | None) -> None:
        """The client was sent this alone and refused it, so it certainly hasn't got it."""
        sent = self.unsure.pop(name)
        others = [other for other in sent if other is not entry]
        for _ in range(len(sent) - len(others)):
            self._uses.drop(entry)
        if others:
            self.unsure[name] = others
        if entry is None:
            self._hold(name, None)

    def newest(self, flight: Flight) -> tuple[str, ...]:
        """The names in the response that no later response carries."""
        later = [other for other in self.flights.values() if other.sequence > flight.sequence]
        return tuple(
            name for name in flight.items if not any(name in other.items for other in later)
        )

    def pending(self) -> set[str]:
        """The names about which something is still to be done or to be answered."""
        names = self.dirty.keys() | self.waiting.keys() | self.kept.keys() | self.trials.names()
        return names.union(*(flight.items for flight in self.flights.values()))

    def patient(self, now: float) -> bool:
        """Whether additions of the type wait for something that is on its way."""
        return bool(self.waiting) and any(now < until < math.inf for until in self.waiting.values())

    @property
    def silent(self) -> bool:
        """Whether there is nothing that might have to be sent."""
        return not (self.dirty or self.greeting or self.trials)

    def tidy(self) -> None:
        """Let go of the room that a first sync took: a large table that was emptied stays large.

        At 10,000 services that is 1.7 MB a client, and 0.1 ms to look through for each change.
        """
        self.dirty = dict(self.dirty)
        self.waiting = dict(self.waiting)
        self.kept = dict(self.kept)
        self.unsure = dict(self.unsure)
        self.forced = set(self.forced)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to send and no answer to wait for."""
        busy = self.flights or self.dirty or self.waiting or self.kept or self.trials
        return not (busy or self.greeting)

    def _hold(self, name: str, held: Entry | str | None) -> None:
        before = self.held.pop(name, None)
        if isinstance(before, str):
            self.strangers -= 1
        else:
            self._uses.drop(before)
        if held is not None:
            self.held[name] = held
            self.strangers += isinstance(held, str)
