"""What is loaded is set aside, and what comes later is still looked at."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from serai.app import garbage


class Ring:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)
    gc.enable()


def test_what_is_loaded_is_never_looked_at_again() -> None:
    with garbage.loading():
        assert not gc.isenabled()
        loaded = [[number] for number in range(1_000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1_000
    assert not any(each is loaded for each in gc.get_objects())


def test_nobody_looks_through_what_was_loaded_while_envoys_wait_for_it() -> None:
    looked: list[str] = []
    heard = lambda phase, _: looked.append(phase)  # noqa: E731
    gc.callbacks.append(heard)
    try:
        with garbage.loading():
            assert len([[number] for number in range(100_000)]) == 100_000
    finally:
        gc.callbacks.remove(heard)
    assert looked == []


def test_it_is_turned_on_again_where_loading_fails() -> None:
    with pytest.raises(ValueError, match="no"), garbage.loading():
        raise ValueError("no")
    assert gc.isenabled()


def test_what_came_since_is_looked_through_and_set_aside() -> None:
    gc.freeze()
    gone, kept = weakref.ref(Ring()), [[number] for number in range(1_000)]
    garbage.settle()
    assert gone() is None
    assert not any(each is kept for each in gc.get_objects())


def _change(rows: dict[int, list[int]], start: int, count: int) -> None:
    """Each change lets go of as many as it makes."""
    for number in range(start, start + count):
        rows[number % len(rows)] = [number]
    garbage.look_after(count)


def test_steady_changes_gather_nothing_that_is_looked_through_at_once() -> None:
    with garbage.loading():
        rows = {number: [number] for number in range(20_000)}
    most = 0
    for start in range(0, 40_000, 50):
        _change(rows, start, 50)
        most = max(most, len(gc.get_objects(0)))
    assert most < 2 * garbage.PORTION
    assert len(gc.get_objects(1)) < garbage.YOUNGER * 2 * garbage.PORTION


def test_a_cycle_that_a_change_left_is_freed() -> None:
    with garbage.loading():
        rows = {number: [number] for number in range(20_000)}
    gone = weakref.ref(Ring())
    for start in range(0, 5_000, 50):
        _change(rows, start, 50)
    assert gone() is None


def test_what_very_many_changes_at_once_have_made_is_not_looked_through() -> None:
    with garbage.loading():
        pass
    made = [[number] for number in range(100)]
    garbage.look_after(garbage.MUCH)
    assert not any(each is made for each in gc.get_objects())


def test_of_much_the_oldest_is_set_aside_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.freeze()
    ring = Ring()
    old = weakref.ref(ring)
    gc.collect()
    del ring
    monkeypatch.setattr(garbage, "FEW", 0)
    garbage.settle()
    assert old() is not None
