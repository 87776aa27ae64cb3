"""One client's conversation, in either protocol: what to send next, and what an answer means."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from serai.xds.behind import repeat_endpoints, repeat_scopes
from serai.xds.draft import Draft
from serai.xds.events import Acknowledged, Cleared, Converged, Event, Rejected, Rejection
from serai.xds.isolation import Part
from serai.xds.ledger import Flight, Ledger, Step
from serai.xds.order import Order
from serai.xds.references import SCOPES
from serai.xds.resource import Resource, ResourceKey, ResourceType
from serai.xds.uses import Uses
from serai.xds.waits import ADDITION_SECONDS, Waits
from serai.xds.world import Entry, Resources

MAX_WITHHELD: Final = 256
"""How many unanswered responses about clusters are sent without waiting a while each time."""
MAX_MESSAGE: Final = 4_000
"""Characters of a client's error message that are kept."""

_ORDER: Final = tuple(ResourceType)
_LOOK_UP: Final = (ResourceType.LISTENER, ResourceType.FILTER_CHAIN)
_AHEAD: Final = (ResourceType.CLUSTER, ResourceType.ENDPOINTS, ResourceType.SECRET)
"""What answers nobody as long as there is no listener."""
_TOGETHER: Final = frozenset({ResourceType.LISTENER, ResourceType.FILTER_CHAIN, ResourceType.SCOPE})
"""Where an addition may take the place (address, scope key) of what is removed with it."""


class Memory(msgspec.Struct, frozen=True):
    """What is worth knowing of a stream that ended when the same client comes back."""

    rejections: Mapping[ResourceKey, Rejection] = {}
    sets: Mapping[ResourceType, Mapping[tuple[str, frozenset[str]], Mapping[str, Entry | str]]] = {}
    """By type, version and names asked for, the sets that the client may have (SotW only)."""


class Conversation:
    """The rules both protocols share, over one ledger for each type the client speaks of.

    The caller translates requests into the methods here, and the flights that `due` returns into
    responses.  `now` is any clock that doesn't go back, in seconds.  Types in `whole` are sent as
    complete sets, so their changes are never cut into several responses.
    """

    def __init__(
        self,
        world: Resources | None = None,
        carried: Mapping[ResourceKey, Rejection] | None = None,
        whole: frozenset[ResourceType] = frozenset(),
    ) -> None:
        self.ledgers: dict[ResourceType, Ledger] = {}
        self._in_order: tuple[Ledger, ...] = ()
        """In the order in which types are sent."""
        self._world = world
        self._carried = dict(carried or {})
        self._whole = whole
        self._uses = Uses()
        self._order = Order(self.ledgers, self._uses)
        self._waits = Waits(self.ledgers, self._uses, self._order)
        self._events: list[Event] = []
        self._sequence = 0
        self._resumed = False
        self._partial = False
        self._converged = False

    def events(self) -> list[Event]:
        """What happened since this was last asked."""
        events, self._events = self._events, []
        return events

    def rejections(self) -> dict[ResourceKey, Rejection]:
        """What the client refuses at present."""
        return {
            ResourceKey(type_, name): rejection
            for type_, ledger in self.ledgers.items()
            for name, rejection in ledger.rejected.items()
        }

    def to_remember(self) -> dict[ResourceKey, Rejection]:
        """What the client refuses, as far as it spoke of it, else what was carried here."""
        unspoken = {
            key: rejection
            for key, rejection in self._carried.items()
            if key.type not in self.ledgers
        }
        return unspoken | self.rejections()

    def attach(self, world: Resources, *, partial: bool = False) -> None:
        """What the proxy should have is known from now on.

        `partial`: some of it.  Who has nothing is sent what answers nobody; others wait for all.
        """
        self._world, self._partial = world, partial
        for ledger in self.ledgers.values():
            self._compare(ledger)

    def wanted(self, type_: ResourceType, name: str) -> Entry | None:
        """What the client should have under the name."""
        return None if self._world is None else self._world[type_].get(name)

    def held(self, key: ResourceKey) -> Resource | None:
        """What the client has under a key, as far as that is known here."""
        ledger = self.ledgers.get(key.type)
        held = ledger.held.get(key.name) if ledger is not None else None
        return held.resource if isinstance(held, Entry) else None

    def _shared(self, ledger: Ledger, names: Iterable[str]) -> Iterator[str]:
        """The names as the world has them: each client's own copies would be 80 bytes a name."""
        for name in names:
            entry = self.wanted(ledger.type, name)
            yield entry.name if entry is not None else name

    def begin(self, type_: ResourceType, held: Mapping[str, Entry | str], now: float) -> Ledger:
        """The client's first word about a type, with what it says to have (versions, or entries).

        A client that comes back with something keeps the rejections carried from its last stream.
        """
        ledger = self.ledgers[type_] = Ledger(type_, self._uses)
        self._in_order = tuple(self.ledgers[each] for each in _ORDER if each in self.ledgers)
        for name, value in held.items():
            ledger.resume(name, value)
        if held:
            self._waits.resume(now, again=self._resumed)
            self._resumed = True
        if self._resumed:
            for key, rejection in self._carried.items():
                if key.type is type_:
                    ledger.rejected[key.name] = rejection
        return ledger

    def subscribe(self, ledger: Ledger, names: Iterable[str]) -> None:
        """The client asks for names, anew or once more: each gets an answer.

        A name that is asked for anew is sent even if it was rejected before: whatever asked for
        it, such as a new listener, waits for an answer and may know better.
        """
        for name in self._shared(ledger, names):
            ledger.names[name] = None
            ledger.force(name)
            self._clear(ledger, name)

    def ask_first(self, ledger: Ledger, names: Iterable[str], *, wildcard: bool) -> None:
        """The subscriptions that come with `begin`; what the client has already isn't repeated."""
        ledger.wildcard = wildcard
        # Envoy 1.40 is not ready before it was told of each such type, though it be of nothing.
        ledger.greeting = wildcard and not ledger.held
        for name in self._shared(ledger, names):
            ledger.names[name] = None
            if name not in ledger.held:
                ledger.forced.add(name)
        for name in ledger.held.keys() | ledger.rejected.keys():
            if not ledger.subscribed(name):
                ledger.forget(name)
        self._compare(ledger)

    def subscribe_all(self, ledger: Ledger) -> None:
        """The client asks for everything of the type."""
        ledger.wildcard = True
        self._compare(ledger)

    def unsubscribe(self, ledger: Ledger, names: Iterable[str]) -> None:
        """The client doesn't ask for the names any more.

        Where it still gets them by wildcard, it is told so by an answer.
        """
        for name in names:
            ledger.names.pop(name, None)
            if ledger.wildcard:
                ledger.force(name)
            else:
                self._forget(ledger, name)

    def unsubscribe_all(self, ledger: Ledger) -> None:
        """The client keeps only what it asked for by name."""
        ledger.wildcard = False
        for name in (
            ledger.held.keys() | ledger.unsure.keys() | ledger.pending()
        ) - ledger.names.keys():
            self._forget(ledger, name)

    def changed(self, keys: Iterable[ResourceKey]) -> None:
        """These differ from what they were in the world."""
        for key in keys:
            ledger = self.ledgers.get(key.type)
            if ledger is not None and ledger.subscribed(key.name):
                ledger.dirty[key.name] = None
                if self.wanted(*key) is None:
                    self._clear(ledger, key.name)
                if ledger.baseless:
                    self._retry(ledger)
            self._waits.wake(key)

    def accept(self, ledger: Ledger, flight: Flight) -> None:
        """The client took the response."""
        del ledger.flights[flight.nonce]
        ledger.accept(flight)
        for name, entry in flight.items.items() if ledger.rejected else ():
            want = self.wanted(ledger.type, name)
            if want is not None and entry is not None and entry.version == want.version:
                self._clear(ledger, name)
        self._waits.wake_each(ledger.type, flight.items)
        if ledger.type is ResourceType.ENDPOINTS:
            self._waits.warmed(flight.items)
        versions = ((name, entry.version if entry else "") for name, entry in flight.items.items())
        self._events.append(Acknowledged(ledger.type, tuple(versions)))

    def reject(
        self, ledger: Ledger, flights: list[Flight], message: str, *, alone: bool = True
    ) -> None:
        """The client refused the response, or several that it answers at once.

        What was rejected alone is put aside at this version; else the parts are sent one by one.
        `alone` is False where the response held more than the flight says.
        """
        for flight in flights:
            del ledger.flights[flight.nonce]
            if flight.part is not None:
                ledger.trials.leave(flight.part)
        names = tuple(dict.fromkeys(name for flight in flights for name in ledger.newest(flight)))
        message = message[:MAX_MESSAGE]
        if not names:
            return
        if alone and len(flights) == 1 and flights[0].size == 1:
            self._put_aside(ledger, names[0], flights[0].items[names[0]], message)
        else:
            ledger.trials.reject(names, message)

    def reject_whole(self, ledger: Ledger, flight: Flight, message: str) -> None:
        """The client refused a whole set that can't be taken apart without taking things away.

        Nothing of it is sent again before something in it changes.
        """
        del ledger.flights[flight.nonce]
        if flight.part is not None:
            ledger.trials.leave(flight.part)
        message = message[:MAX_MESSAGE]
        if flight.size > 1:
            message = f"one of {flight.size} refused together: {message}"
        for name, entry in flight.items.items():
            self._put_aside(ledger, name, entry, message)

    def due(self, now: float) -> list[Flight]:
        """What is to be sent now, in this order.

        At most one response of a type is unanswered; what changes meanwhile goes into the next.
        Only clusters don't wait for an answer that Envoy withholds.
        """
        if self._world is None or (self._partial and (self._resumed or self._whole)):
            return []
        self._waits.revive(now)
        flights = [
            flight
            for ledger in self._in_order
            if not ledger.silent
            and not (self._partial and ledger.type not in _AHEAD)
            and self._may_send(ledger, now)
            and (flight := self._compose(ledger, self._world, now)) is not None
        ]
        settled = all(ledger.idle for ledger in self._in_order)
        idle = settled and bool(self._in_order) and not self._partial
        if idle and not self._converged:
            self._events.append(Converged())
            for ledger in self.ledgers.values():
                ledger.tidy()
        self._converged = idle
        return flights

    def deadline(self, now: float) -> float:
        """When `due` must be called at the latest, though nothing else happens; maybe never."""
        clusters = self.ledgers.get(ResourceType.CLUSTER)
        if clusters is None or not clusters.flights:
            return self._waits.expiry
        if not self._order.withholding:
            return min(self._waits.expiry, self._order.withheld_at())
        if clusters.dirty or clusters.trials:
            return min(self._waits.expiry, max(now, self._unhurried(clusters)))
        return self._waits.expiry

    def _compare(self, ledger: Ledger) -> None:
        """Everything the client has or asks for is to be compared with the world."""
        if self._world is None:
            return
        world = self._world[ledger.type]
        for name, held in list(ledger.held.items()):
            entry = world.get(name)
            if isinstance(held, str) and entry is not None and entry.version == held:
                ledger.resume(entry.name, entry)
        for name in ledger.rejected.keys() - world.keys():
            self._clear(ledger, name)
        everything = world if ledger.wildcard else ()
        for names in (ledger.names, ledger.held, ledger.rejected, everything):
            ledger.dirty.update(dict.fromkeys(names))

    def _may_send(self, ledger: Ledger, now: float) -> bool:
        if not ledger.flights:
            return True
        if ledger.type is not ResourceType.CLUSTER or not self._order.withholding:
            return False
        return now >= self._unhurried(ledger)

    def _unhurried(self, ledger: Ledger) -> float:
        """When clusters may be sent although so many responses about them are unanswered."""
        if len(ledger.flights) < MAX_WITHHELD:
            return -math.inf
        return next(reversed(ledger.flights.values())).sent_at + ADDITION_SECONDS

    def _compose(self, ledger: Ledger, world: Resources, now: float) -> Flight | None:
        """The next response of the type, marked as sent; None if there is nothing to send now."""
        while ledger.trials:
            part = ledger.trials.next()
            ledger.dirty.update(dict.fromkeys(part.names))
            flight = self._draft(ledger, part.names, world, now, part)
            if flight is not None:
                return flight
            ledger.trials.leave(part)
        return self._draft(ledger, tuple(ledger.dirty), world, now)

    def _draft(
        self,
        ledger: Ledger,
        names: tuple[str, ...],
        world: Resources,
        now: float,
        part: Part | None = None,
    ) -> Flight | None:
        # 10,000 scopes in ten responses cost Envoy 0.3 s more than in one.
        draft = Draft(unlimited=ledger.type in self._whole or ledger.type is ResourceType.SCOPE)
        for name in names:
            step = ledger.step(name, world[ledger.type].get(name))
            if isinstance(step, Entry):
                if not draft.fits(step):
                    break
                if not self._waits.defers(ledger, name, step, world, now):
                    draft.add(name, step)
            elif step is Step.NOTHING:
                self._leave(ledger, name)
            elif not self._waits.keeps(ledger, name, now):
                draft.removals.append(name)
            if draft.full:
                break
        if draft.removals and ledger.type in _TOGETHER and ledger.patient(now):
            draft.removals.clear()
        if ledger.baseless and ledger.patient(now):
            return None
        return self._send(ledger, draft.items(), now, part)

    def _send(
        self, ledger: Ledger, items: dict[str, Entry | None], now: float, part: Part | None
    ) -> Flight | None:
        coming = ledger.dirty or ledger.patient(now)
        if not items and (coming or not ledger.greeting):
            return None
        ledger.greeting = False
        self._sequence += 1
        flight = Flight(ledger.type, self._sequence, now, items, len(items), part)
        if ledger.type is ResourceType.CLUSTER:
            repeat_endpoints(self.ledgers, items.values())
        elif ledger.type in _LOOK_UP and not self._uses.any(SCOPES):
            repeat_scopes(self.ledgers, items.values())
        ledger.send(flight)
        return flight

    def _leave(self, ledger: Ledger, name: str) -> None:
        """Nothing is to be sent; a rejected version that is no longer wanted is forgotten."""
        ledger.settled(name)
        rejection, want = ledger.rejected.get(name), self.wanted(ledger.type, name)
        if rejection is not None and (want is None or want.version != rejection.version):
            self._clear(ledger, name)

    def _put_aside(self, ledger: Ledger, name: str, entry: Entry | None, message: str) -> None:
        ledger.refuse(name, entry)
        ledger.dirty[name] = None
        key = ResourceKey(ledger.type, name)
        want = self.wanted(*key)
        if entry is not None and want is not None and entry.version == want.version:
            ledger.rejected[name] = Rejection(entry.version, message, entry.resource.origins)
            self._events.append(Rejected(key, ledger.rejected[name]))
        self._waits.wake(key)

    def _retry(self, ledger: Ledger) -> None:
        """What was refused together may be taken together now."""
        for name in list(ledger.rejected):
            self._clear(ledger, name)
            ledger.dirty[name] = None

    def _clear(self, ledger: Ledger, name: str) -> None:
        if ledger.rejected.pop(name, None) is not None:
            self._events.append(Cleared(ResourceKey(ledger.type, name)))

    def _forget(self, ledger: Ledger, name: str) -> None:
        self._clear(ledger, name)
        ledger.forget(name)
        self._waits.wake(ResourceKey(ledger.type, name))
