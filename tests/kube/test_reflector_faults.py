"""Whatever goes wrong with lists and watches, nothing that happened is lost."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from kube.store import EXPIRED, Store, names
from serai.kube.reflector import Delta, List, Look, Reflector, Wait, Watch
from serai.kube.wire import Failure, Item, Name

NAMES = list(names())


class Follower:
    """A reflector joined to a store by a connection that breaks, and who hears its deltas."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.store = Store()
        self.reflector = Reflector(random)
        self.mirror: dict[Name, Item] = {}
        self.deltas: list[Delta] = []
        self.now = 0.0

    def change(self) -> None:
        """Something happens to an object."""
        name = self.random.choice(NAMES)
        if name in self.store.objects and self.random.random() < 0.4:
            self.store.delete(name)
        else:
            self.store.put(name)

    def hear(self, delta: Delta) -> None:
        """What the reflector tells."""
        if delta:
            self.deltas.append(delta)
        put = {item.name for item in delta.put}
        assert not put & set(delta.gone), "told as there and as gone at once"
        assert len(put) == len(delta.put), "told twice at once"
        for name in delta.gone:
            self.mirror.pop(name, None)
        for item in delta.put:
            assert self.mirror.get(item.name) != item, "told again though nothing changed"
            self.mirror[item.name] = item

    def turn(self, faults: float) -> None:
        """One request and its answer, or what becomes of it."""
        self.now += 1.0
        match self.reflector.step(self.now):
            case Wait(until):
                self.now = until
            case Look():
                self.hear(self.reflector.looked(self.now, served=self._lucky(faults)))
            case List(limit, token):
                page = self.store.page(min(limit, 2), token)
                if isinstance(page, Failure) or not self._lucky(faults):
                    fault = page if isinstance(page, Failure) else self._fault()
                    self.reflector.failed(fault, self.now)
                else:
                    self.hear(self.reflector.listed(page))
            case Watch(version):
                self._watch(version, faults)

    def _watch(self, version: str, faults: float) -> None:
        events = self.store.after(version)
        if isinstance(events, Failure):
            self.reflector.failed(events, self.now)
            return
        told = events + [self.store.bookmark()] * (self.random.random() < 0.3)
        if not self._lucky(faults):
            # The connection breaks, or goes silent, somewhere between two events.
            told = events[: self.random.randrange(len(events) + 1)]
        if told and self.random.random() < faults:
            told = [*told[:-1], told[-1], told[-1]]
        while told:
            size = self.random.randrange(1, 4)
            self.hear(self.reflector.heard(told[:size]))
            told = told[size:]
        if self._lucky(faults):
            self.reflector.ended(self.now, lasted=self.random.choice([0.1, 270.0]))
        else:
            self.reflector.failed(self._fault(), self.now)

    def _lucky(self, faults: float) -> bool:
        return self.random.random() >= faults

    def _fault(self) -> Failure:
        statuses = [0, 401, 403, 404, 429, 500, 503, 504]
        return self.random.choice([EXPIRED, *(Failure(each) for each in statuses)])


@given(st.integers(0, 2**32), st.integers(10, 120), st.sampled_from([0.1, 0.3, 0.6]))
def test_what_was_told_is_what_a_fresh_list_says(seed: int, turns: int, faults: float) -> None:
    follower = Follower(Random(seed))
    for _ in range(turns):
        for _ in range(follower.random.randrange(4)):
            follower.change()
        if follower.random.random() < 0.1:
            follower.store.compact()
        follower.turn(faults)
    for _ in range(30):
        follower.turn(0.0)
    assert follower.mirror == follower.store.objects
    assert follower.reflector.synced
    told = len(follower.deltas)
    for _ in range(10):
        follower.turn(0.0)
    assert len(follower.deltas) == told, "told something though nothing happened"


def test_a_hundred_ways_to_break_lose_nothing() -> None:
    """The faults of the property, many times over on one long history."""
    follower = Follower(Random(20))
    for _ in range(2000):
        follower.change()
        if follower.random.random() < 0.05:
            follower.store.compact()
        follower.turn(0.4)
    for _ in range(30):
        follower.turn(0.0)
    assert follower.mirror == follower.store.objects
    assert follower.reflector.lists > 100
