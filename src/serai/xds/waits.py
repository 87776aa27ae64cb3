"""What may not be sent yet: until when it waits, and what wakes it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from serai.xds.ledger import Ledger
from serai.xds.order import Order
from serai.xds.resource import ResourceKey, ResourceType
from serai.xds.uses import Uses
from serai.xds.world import Entry, Resources

ADDITION_SECONDS: Final = 5.0
"""How long something new waits for the clusters it names."""
REMOVAL_SECONDS: Final = 20.0
"""How long a removal waits for the answers of what named it."""
SETTLING_SECONDS: Final = 2.0
"""How long a client that comes back has to say all that it holds, before anything is removed."""

_WITHOUT_LIMIT: Final = frozenset({ResourceType.ROUTES, ResourceType.SCOPE})


class Waits:
    """Puts names into `waiting` and `kept` of their ledgers, and back into `dirty` in time."""

    def __init__(self, ledgers: Mapping[ResourceType, Ledger], uses: Uses, order: Order) -> None:
        self.expiry = math.inf
        """When the next of what waits stops waiting."""
        self._ledgers = ledgers
        self._uses = uses
        self._order = order
        self._blocked_on: dict[ResourceKey, set[ResourceKey]] = {}
        """By what they wait for: additions in `waiting` of their ledgers."""
        self._settling = False
        self._mistrusting = False
        """Whether the client may hold versions that nobody knows, or may yet say so."""
        self._strangers: set[ResourceType] = set()
        """Types of which the client held versions that nobody knows, when last looked at."""

    def resume(self, now: float, *, again: bool) -> None:
        """The client says what it holds of a type; by and by, it will of others.

        `again`: it has said so of another type before.  Versions that nobody knows may be among it.
        """
        self._mistrusting = True
        if not again:
            self._settling = True
            self._order.settled_at = now + SETTLING_SECONDS
            self.expiry = min(self.expiry, self._order.settled_at)

    def defers(self, ledger: Ledger, name: str, entry: Entry, world: Resources, now: float) -> bool:
        """Whether an addition must wait for what it names."""
        ledger.kept.pop(name, None)
        blocker = self._order.blocker(entry, world)
        if blocker is None:
            ledger.waiting.pop(name, None)
            return False
        until = ledger.waiting.get(name, math.inf)
        if blocker.type in _WITHOUT_LIMIT:
            until = math.inf
        elif until == math.inf:
            until = now + ADDITION_SECONDS
        elif until <= now:
            return False
        ledger.waiting[name] = until
        ledger.dirty.pop(name, None)
        self._blocked_on.setdefault(blocker, set()).add(ResourceKey(ledger.type, name))
        self.expiry = min(self.expiry, until)
        return True

    def keeps(self, ledger: Ledger, name: str, now: float) -> bool:
        """Whether a removal must wait until nothing names it any more."""
        ledger.waiting.pop(name, None)
        if name not in ledger.held and name not in ledger.unsure:
            return False
        until = ledger.kept.setdefault(name, now + REMOVAL_SECONDS)
        if not self._order.keeps(ResourceKey(ledger.type, name), until, now):
            return False
        if until <= now:
            until = ledger.kept[name] = now + REMOVAL_SECONDS
        ledger.dirty.pop(name, None)
        self.expiry = min(self.expiry, until)
        return True

    def wake(self, key: ResourceKey) -> None:
        """What waited for the key is to be looked at again."""
        for waiter in self._blocked_on.pop(key, ()):
            ledger = self._ledgers[waiter.type]
            if waiter.name in ledger.waiting:
                ledger.dirty[waiter.name] = None

    def wake_each(self, type_: ResourceType, names: Iterable[str]) -> None:
        """Likewise of several of a type; mostly nothing waits at all."""
        for name in names if self._blocked_on else ():
            self.wake(ResourceKey(type_, name))

    def warmed(self, endpoints: Iterable[str]) -> None:
        """These endpoints were acknowledged; that matters while Envoy withholds other answers."""
        clusters = self._ledgers.get(ResourceType.CLUSTER)
        if clusters is not None and clusters.flights:
            self._order.warmed.update(endpoints)
            if self._order.withholding:
                self._wake_all()

    def revive(self, now: float) -> None:
        """What waited, and needn't any more, is to be looked at again."""
        if self._order.refresh(now):
            self._wake_all()
        for key in self._uses.freed():
            ledger = self._ledgers.get(key.type)
            if ledger is not None and key.name in ledger.kept:
                ledger.dirty[key.name] = None
        if self._mistrusting:
            self._look_at_strangers(now)
        if now >= self.expiry:
            self._expire(now)

    def _look_at_strangers(self, now: float) -> None:
        """What was kept because of versions that nobody knows is to be looked at without them."""
        strangers = {type_ for type_, ledger in self._ledgers.items() if ledger.strangers}
        settled = self._settling and now >= self._order.settled_at
        if settled or self._strangers - strangers:
            for ledger in self._ledgers.values():
                ledger.dirty.update(dict.fromkeys(ledger.kept))
        self._strangers = strangers
        self._settling = self._settling and not settled
        self._mistrusting = self._settling or bool(strangers)

    def _expire(self, now: float) -> None:
        self.expiry = self._order.settled_at if self._settling else math.inf
        for ledger in self._ledgers.values():
            for waits in (ledger.waiting, ledger.kept):
                for name, until in waits.items():
                    if until <= now:
                        ledger.dirty[name] = None
                    else:
                        self.expiry = min(self.expiry, until)

    def _wake_all(self) -> None:
        for key in list(self._blocked_on):
            self.wake(key)
