"""Which VIPs go to the services that have none of their own.

Istio's rules for ServiceEntries (automatic address allocation): an address of each range for each
host, what a user wrote is never handed out, of several that claim one address the oldest keeps it
and the others get another, and what is given stays given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush

from serai.api.meta import Key
from serai.incremental import few
from serai.incremental.few import Few
from serai.ir.origin import Value
from serai.model.addresses import is_range
from serai.model.service import Address
from serai.model.vip_pool import Pool

Order = tuple[str, str, str, str]
Held = dict[str, tuple[str, ...]]
"""The addresses of each host; under no host, those for all."""


class Claim(Value, frozen=True):
    """What an object wants of the ranges, and what it occupies."""

    key: Key
    created: str = ""
    hosts: tuple[str, ...] = ()
    """Each is to have an address; the empty one stands for all of a service's."""
    given: tuple[Address, ...] = ()
    """What its status says it was given, by whoever allocates."""
    written: tuple[str, ...] = ()
    """Addresses and ranges that a user, or an API server, gave it; in canonical form."""

    @property
    def order(self) -> Order:
        """Sorts by who keeps what several claim: the oldest, then by name."""
        return (self.created or "9999", self.key.namespace, self.key.name, self.key.kind)


class Vips(Value, frozen=True):
    """What an object got."""

    addresses: tuple[Address, ...] = ()
    lacking: tuple[tuple[str, str], ...] = ()
    """Hosts that got nothing from a range, because none is left there; host and range."""


class History(Value, frozen=True):
    """What was handed out in an earlier life."""

    held: Mapping[Key, tuple[Address, ...]] = {}
    last: Mapping[str, str] = {}
    """By range: the address that was handed out last."""


class Allocator:
    """Holds who has what.  A change costs as much as it concerns, however many there are.

    The same claims after the same history give the same addresses, in whatever order they come.
    """

    def __init__(self, ranges: Iterable[str], history: History | None = None) -> None:
        """`ranges` are of either family, at most one of each."""
        before = history or History()
        self._pools = tuple(Pool(cidr, before.last.get(cidr, "")) for cidr in ranges)
        self._history = dict(before.held)
        self._claims: dict[Key, Claim] = {}
        self._held: dict[Key, Held] = {}
        """Of whoever holds anything."""
        self._claimants: dict[str, Few[Key]] = {}
        self._lacking: dict[Key, tuple[tuple[str, str], ...]] = {}
        self._pending: set[Key] = set()
        self._queue: list[tuple[Order, Key]] = []
        self._freed = False

    def update(self, changes: Mapping[Key, Claim | None]) -> dict[Key, Vips | None]:
        """Settle claims that are new or changed (None: gone); returns what this may have changed.

        What the first update does not claim of the history is given up.
        """
        self._freed = False
        # Mostly it is endpoints that change, which claim nothing.
        new = [
            key for key, claim in changes.items() if claim is None or claim != self._claims.get(key)
        ]
        for key in new:
            self._replace(key, changes[key])
        settled = dict.fromkeys([*new, *self._history])
        self._history = {}
        settled.update(dict.fromkeys(self._settle()))
        settled.update(dict.fromkeys(self._supply(settled)))
        return {key: self._row(key) for key in settled}

    def afresh(
        self, changes: Mapping[Key, Claim | None]
    ) -> tuple[Allocator, dict[Key, Vips | None]]:
        """As `update`, but as if nothing had ever been handed out."""
        merged: dict[Key, Claim | None] = {**self._claims, **changes}
        new = Allocator(pool.cidr for pool in self._pools)
        return new, new.update(merged)

    def within(self, ranges: Iterable[str]) -> tuple[Allocator, dict[Key, Vips | None]]:
        """The same claims with other ranges; none: only what statuses say was given is used."""
        new = Allocator(ranges)
        return new, new.update(dict(self._claims))

    def last(self) -> dict[str, str]:
        """By range: the address that was handed out last."""
        return {pool.cidr: pool.last for pool in self._pools}

    def _replace(self, key: Key, claim: Claim | None) -> None:
        before = self._stakes(key)
        old = self._claims.pop(key, None)
        for cidr in filter(is_range, old.written if old else ()):
            for pool in self._holding(cidr):
                self._look_at_written(pool)
                pool.unwrite(cidr)
                self._freed = True
        held = self._held.pop(key, {}) or _by_host(self._history.pop(key, ()))
        if claim is not None:
            self._claims[key] = claim
            wanted = {"", *claim.hosts} if claim.hosts else set()
            self._hold(key, {host: each for host, each in held.items() if host in wanted})
            for cidr in filter(is_range, claim.written):
                for pool in self._holding(cidr):
                    pool.write(cidr)
                    self._look_at_written(pool)
        after = self._restake(key, before)
        self._look_again([key])
        for address in before | after:
            self._look_again(self._of(address))

    def _of(self, address: str) -> Iterable[Key]:
        """Who claims or holds an address."""
        return few.elements(self._claimants.get(address))

    def _hold(self, key: Key, held: Held) -> None:
        if held:
            self._held[key] = held
        else:
            self._held.pop(key, None)

    def _holding(self, cidr: str) -> list[Pool]:
        return [pool for pool in self._pools if pool.holds(cidr)]

    def _look_at_written(self, pool: Pool) -> None:
        # Nobody often writes a range inside of ours, so everything may be looked through.
        for address, claimants in self._claimants.items():
            if pool.is_written(address):
                self._look_again(few.elements(claimants))

    def _settle(self) -> Iterator[Key]:
        """Let the strongest keep what is theirs, which may free something for those after them."""
        # Rebuilt, since claims that were waited for may have changed their order.
        self._queue = [(self._claims[key].order, key) for key in self._pending]
        heapify(self._queue)
        while self._queue:
            _, key = heappop(self._queue)
            self._pending.discard(key)
            before = self._stakes(key)
            self._hold(key, self._kept(self._claims[key]))
            after = self._restake(key, before)
            for address in before - after:
                self._look_again(self._of(address))
            yield key
        self._pending = set()  # one that was large once takes long to look through, though empty

    def _kept(self, claim: Claim) -> Held:
        held, mine, kept = self._held.get(claim.key, {}), set[str](), Held()
        for host in dict.fromkeys(("", *claim.hosts)):
            given = _given(claim, host)
            won = [each for each in given if each not in mine and self._keeps(claim, each)]
            families = self._families(claim, host) - {_version(each) for each in won}
            own = [
                each
                for each in held.get(host, ())
                if _version(each) in families
                and self._owns(claim, each)
                and any(each in pool for pool in self._pools)
            ]
            one_each = {_version(each): each for each in reversed(own)}
            kept[host] = tuple(each for each in (*won, *one_each.values()) if each not in mine)
            mine.update(kept[host])
        return {host: each for host, each in kept.items() if each}

    def _keeps(self, claim: Claim, address: str) -> bool:
        """Whether what was given is used: it is the claimant's own, or there is nothing else."""
        replaceable = any(pool.version == _version(address) for pool in self._pools)
        return not replaceable or self._owns(claim, address)

    def _owns(self, claim: Claim, address: str) -> bool:
        if any(pool.is_written(address) for pool in self._pools):
            return False
        rivals = (self._claims[key] for key in self._of(address))
        return all(
            address not in rival.written and claim.order <= rival.order
            for rival in rivals
            if rival.key != claim.key
        )

    def _families(self, claim: Claim, host: str) -> set[int]:
        """The families of which a host is to have an address: Istio adds none to those given."""
        if host == "" and "" not in claim.hosts:
            return set()
        given = (*_given(claim, ""), *_given(claim, host))
        ours: set[int] = {pool.version for pool in self._pools}
        return ours & {_version(each) for each in given} if given else ours

    def _supply(self, settled: Iterable[Key]) -> list[Key]:
        """Hand out what is missing, to the oldest first; returns who was considered."""
        needy = {key for key in settled if key in self._claims}
        if self._freed:
            needy.update(self._lacking)
        ordered = sorted(needy, key=lambda key: self._claims[key].order)
        for key in ordered:
            self._lacking.pop(key, None)
            lacking = tuple(self._supply_one(self._claims[key]))
            if lacking:
                self._lacking[key] = lacking
        return ordered

    def _supply_one(self, claim: Claim) -> Iterator[tuple[str, str]]:
        held = self._held.setdefault(claim.key, {}) if claim.hosts else {}
        for host in claim.hosts:
            has = {_version(each) for each in (*held.get(host, ()), *held.get("", ()))}
            for pool in self._pools:
                if pool.version in self._families(claim, host) - has:
                    address = pool.take(self._claimants.__contains__)
                    if address is None:
                        yield host, pool.cidr
                        continue
                    held[host] = (*held.get(host, ()), address)
                    self._claimants[address] = claim.key

    def _stakes(self, key: Key) -> set[str]:
        """Every single address that an object claims or holds."""
        claim = self._claims.get(key)
        if claim is None:
            return set()
        held = (each for addresses in self._held.get(key, {}).values() for each in addresses)
        given = (each.cidr for each in claim.given if claim.hosts)
        return {*held, *given, *(each for each in claim.written if not is_range(each))}

    def _restake(self, key: Key, before: set[str]) -> set[str]:
        after = self._stakes(key)
        for address in before - after:
            left = few.removed(self._claimants.pop(address), key)
            if left is not None:
                self._claimants[address] = left
            else:
                self._freed = True
                for pool in self._pools:
                    pool.given_back()
        for address in after - before:
            self._claimants[address] = few.added(self._claimants.get(address), key)
        return after

    def _look_again(self, keys: Iterable[Key]) -> None:
        for key in keys:
            claim = self._claims.get(key)
            if claim is None:
                self._lacking.pop(key, None)
                self._held.pop(key, None)
                self._pending.discard(key)
            elif key not in self._pending:
                self._pending.add(key)
                heappush(self._queue, (claim.order, key))

    def _row(self, key: Key) -> Vips | None:
        claim = self._claims.get(key)
        if claim is None or not claim.hosts:
            return None
        held = self._held.get(key, {})
        found = (
            Address(each, host)
            for host in dict.fromkeys(("", *claim.hosts))
            for each in sorted(held.get(host, ()), key=_version)
        )
        return Vips(tuple(found), self._lacking.get(key, ()))


def _version(address: str) -> int:
    return 6 if ":" in address else 4


def _given(claim: Claim, host: str) -> tuple[str, ...]:
    given = (each.cidr for each in claim.given if each.host == host and claim.hosts)
    return tuple(dict.fromkeys(given))


def _by_host(addresses: Iterable[Address]) -> Held:
    found: Held = {}
    for each in addresses:
        found[each.host] = (*found.get(each.host, ()), each.cidr)
    return found
