"""What the laws of allocation do not say: which address it is, and what a change costs."""

from __future__ import annotations

import pytest

from serai.api.meta import Key
from serai.model.service import Address
from serai.model.vips import Allocator, Claim, History, Vips


def claim(name: str, created: str = "", **more: object) -> Claim:
    return Claim(Key("ServiceEntry", "shop", name), created, **{"hosts": ("h",), **more})  # type: ignore[arg-type]


class World:
    def __init__(self, *ranges: str, history: History | None = None) -> None:
        self.allocator = Allocator(ranges, history)
        self.rows: dict[str, Vips | None] = {}

    def put(self, *claims: Claim) -> None:
        self._note(self.allocator.update({each.key: each for each in claims}))

    def drop(self, *names: str) -> None:
        self._note(self.allocator.update({claim(each).key: None for each in names}))

    def has(self, name: str) -> list[str]:
        row = self.rows.get(name)
        return [each.cidr for each in row.addresses] if row else []

    def _note(self, rows: dict[Key, Vips | None]) -> None:
        self.rows |= {key.name: row for key, row in rows.items()}


def test_istio_s_first_addresses_go_to_the_oldest_then_by_name() -> None:
    world = World("240.240.0.0/16", "2001:2::/48")
    world.put(claim("b"), claim("a"), claim("old", "2026-01-01T00:00:00Z"))
    assert world.has("old") == ["240.240.0.1", "2001:2::1"]
    assert world.has("a") == ["240.240.0.2", "2001:2::2"]
    assert world.has("b") == ["240.240.0.3", "2001:2::3"]


def test_each_host_has_its_own() -> None:
    world = World("240.240.0.0/16")
    world.put(claim("a", hosts=("one", "two")))
    row = world.rows["a"]
    assert row
    assert row.addresses == (Address("240.240.0.1", "one"), Address("240.240.0.2", "two"))


def test_what_is_freed_comes_round_after_all_others() -> None:
    world = World("240.0.0.0/29")
    world.put(*(claim(name) for name in "abc"))
    world.drop("a", "b")
    got = []
    for name in "defghi":
        world.put(claim(name))
        got += world.has(name)
    assert got == [f"240.0.0.{last}" for last in (4, 5, 6, 7, 1, 2)]


def test_what_was_freed_comes_last_after_a_restart_too() -> None:
    world = World("240.0.0.0/29")
    world.put(claim("a"), claim("b"))
    world.drop("b")
    history = History({claim("a").key: (Address("240.0.0.1", "h"),)}, world.allocator.last())
    again = World("240.0.0.0/29", history=history)
    again.put(claim("a"), claim("c"))
    assert again.has("a") == ["240.0.0.1"]
    assert again.has("c") == ["240.0.0.3"]


def test_a_range_with_none_left_says_so_and_serves_the_oldest_once_one_is_freed() -> None:
    world = World("240.0.0.0/30")
    world.put(*(claim(name) for name in "abc"), claim("z"), claim("y", "2026-01-01T00:00:00Z"))
    assert world.has("y")
    assert world.rows["c"] == Vips(lacking=(("h", "240.0.0.0/30"),))
    assert world.rows["z"] == Vips(lacking=(("h", "240.0.0.0/30"),))
    world.drop("a")
    assert world.has("c") == ["240.0.0.2"]
    assert world.has("z") == []


def test_what_a_user_writes_is_taken_from_whoever_has_it() -> None:
    world = World("240.0.0.0/29")
    world.put(claim("a"), claim("b"))
    world.put(claim("young", hosts=(), written=("240.0.0.1",)))
    assert world.has("a") == ["240.0.0.3"]
    assert world.has("b") == ["240.0.0.2"]
    world.put(claim("wide", hosts=(), written=("240.0.0.2/31",)))
    assert world.has("a") == ["240.0.0.4"]
    assert world.has("b") == ["240.0.0.5"]


def test_a_range_that_holds_all_of_ours_takes_nothing() -> None:
    world = World("240.0.0.0/29")
    world.put(claim("all", hosts=(), written=("0.0.0.0/0",)), claim("a"))
    assert world.has("a") == ["240.0.0.1"]


def test_what_is_given_is_used_at_once_and_goes_to_the_oldest() -> None:
    world = World("240.0.0.0/29", "fd00::/64")
    world.put(claim("a"))
    world.put(claim("a", given=(Address("240.9.9.9", "h"),)))
    assert world.has("a") == ["240.9.9.9"]
    older = claim("older", "2026-01-01T00:00:00Z", given=(Address("240.9.9.9", "h"),))
    world.put(older)
    assert world.has("older") == ["240.9.9.9"]
    assert world.has("a") == ["240.0.0.2"]
    world.drop("older")
    assert world.has("a") == ["240.9.9.9"]


def test_without_ranges_what_others_allocate_is_used_as_it_is() -> None:
    world = World()
    both = (Address("240.9.9.9", "h"),)
    world.put(claim("a", given=both), claim("b", given=both), claim("c"))
    assert (world.has("a"), world.has("b"), world.has("c")) == (["240.9.9.9"], ["240.9.9.9"], [])
    assert world.rows["c"] == Vips()


def test_an_address_of_a_range_that_is_no_longer_ours_is_given_up() -> None:
    history = History({claim("a").key: (Address("127.80.0.9", "h"),)})
    world = World("240.0.0.0/29", history=history)
    world.put(claim("a"))
    assert world.has("a") == ["240.0.0.1"]


@pytest.mark.parametrize("many", [100, 3000])
def test_one_more_looks_at_nobody_else(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World("240.0.0.0/16")
    world.put(*(claim(f"s{number}") for number in range(many)))
    looked = 0
    order = Claim.order.fget  # type: ignore[attr-defined]

    def counted(self: Claim) -> object:
        nonlocal looked
        looked += 1
        return order(self)

    monkeypatch.setattr(Claim, "order", property(counted))
    world.put(claim("more"))
    assert world.has("more") == [f"240.0.{(many + 1) // 256}.{(many + 1) % 256}"]
    assert looked < 10
