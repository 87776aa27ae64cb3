from __future__ import annotations

from random import Random

import pytest

from kube.store import EXPIRED, Store
from serai.kube.reflector import (
    PAGE,
    Delta,
    List,
    Look,
    Reflector,
    Wait,
    Watch,
)
from serai.kube.wire import Failure, Name, Page

A, B, C = Name("x", "a"), Name("x", "b"), Name("x", "c")


@pytest.fixture
def store() -> Store:
    store = Store()
    for name in (A, B):
        store.put(name)
    return store


@pytest.fixture
def reflector() -> Reflector:
    return Reflector(Random(1))


def read_list(reflector: Reflector, store: Store, now: float = 0.0) -> Delta:
    """One list, page by page."""
    while True:
        step = reflector.step(now)
        assert isinstance(step, List)
        page = store.page(step.limit, step.token)
        assert isinstance(page, Page)
        delta = reflector.listed(page)
        if not page.more:
            return delta


def told(delta: Delta) -> tuple[set[Name], set[Name]]:
    return {item.name for item in delta.put}, set(delta.gone)


def test_the_first_list_is_read_in_pages_and_told_at_once(
    reflector: Reflector, store: Store
) -> None:
    first = reflector.step(0.0)
    assert first == List(PAGE)
    page = store.page(1, "")
    assert isinstance(page, Page)
    assert not reflector.listed(page)
    assert not reflector.synced
    assert told(read_list(reflector, store)) == ({A, B}, set())
    assert reflector.synced


def test_a_watch_goes_on_where_the_list_and_each_event_ended(
    reflector: Reflector, store: Store
) -> None:
    read_list(reflector, store)
    watch = reflector.step(0.0)
    assert isinstance(watch, Watch)
    assert watch.version == str(store.version)
    assert 240 <= watch.seconds <= 300
    store.put(C)
    events = store.after(watch.version)
    assert isinstance(events, list)
    assert told(reflector.heard(events)) == ({C}, set())
    again = reflector.step(0.0)
    assert isinstance(again, Watch)
    assert again.version == str(store.version)


def test_a_bookmark_moves_on_and_tells_nothing(reflector: Reflector, store: Store) -> None:
    read_list(reflector, store)
    store.version = 70
    assert not reflector.heard([store.bookmark()])
    watch = reflector.step(0.0)
    assert isinstance(watch, Watch)
    assert watch.version == "70"


def test_what_was_deleted_unseen_is_told_by_the_next_list(
    reflector: Reflector, store: Store
) -> None:
    read_list(reflector, store)
    store.delete(A)
    store.put(C)
    store.compact()
    reflector.failed(EXPIRED, 0.0)
    assert told(read_list(reflector, store)) == ({C}, {A})


def test_a_list_that_shows_nothing_new_tells_nothing(reflector: Reflector, store: Store) -> None:
    read_list(reflector, store)
    reflector.failed(EXPIRED, 0.0)
    assert not read_list(reflector, store)


def test_a_list_that_expires_half_way_is_read_again_all_at_once(
    reflector: Reflector, store: Store
) -> None:
    page = store.page(1, "")
    assert isinstance(page, Page)
    reflector.step(0.0)
    reflector.listed(page)
    reflector.failed(EXPIRED, 0.0)
    assert reflector.step(0.0) == List(0, "")
    assert told(read_list(reflector, store)) == ({A, B}, set())


def test_an_object_made_again_is_told_once_as_it_is_now(reflector: Reflector, store: Store) -> None:
    read_list(reflector, store)
    watch = reflector.step(0.0)
    assert isinstance(watch, Watch)
    store.delete(A)
    now = store.put(A)
    events = store.after(watch.version)
    assert isinstance(events, list)
    assert reflector.heard(events) == Delta((now,))


def test_events_told_twice_are_told_once(reflector: Reflector, store: Store) -> None:
    read_list(reflector, store)
    watch = reflector.step(0.0)
    assert isinstance(watch, Watch)
    store.put(A)
    events = store.after(watch.version)
    assert isinstance(events, list)
    assert told(reflector.heard([*events, *events])) == ({A}, set())
    assert not reflector.heard(events)


def test_waits_longer_after_each_failure_and_never_less_than_asked(
    reflector: Reflector,
) -> None:
    waits = []
    for _ in range(8):
        reflector.failed(Failure(500), 100.0)
        step = reflector.step(100.0)
        assert isinstance(step, Wait)
        waits.append(step.until - 100.0)
    assert all(0.8 <= each <= 30.0 for each in waits)
    assert waits[3] > waits[0]
    assert waits[-1] == pytest.approx(30.0)
    reflector.failed(Failure(429, retry_after=70.0), 100.0)
    step = reflector.step(100.0)
    assert isinstance(step, Wait)
    assert step.until >= 170.0


def test_a_watch_that_ends_at_once_is_not_asked_again_at_once(
    reflector: Reflector, store: Store
) -> None:
    read_list(reflector, store)
    reflector.ended(10.0, lasted=0.1)
    assert isinstance(reflector.step(10.0), Wait)
    reflector.ended(500.0, lasted=270.0)
    assert isinstance(reflector.step(500.0), Watch)


def test_a_server_behind_our_version_is_read_again(reflector: Reflector, store: Store) -> None:
    read_list(reflector, store)
    reflector.failed(Failure(504, "Timeout", "Too large resource version"), 0.0)
    assert isinstance(reflector.step(1e6), List)


def test_a_list_whose_token_is_no_longer_understood_is_begun_again(
    reflector: Reflector, store: Store
) -> None:
    for failure in (Failure(400, "BadRequest", "continue key is not valid"), Failure(500)):
        page = store.page(1, "")
        assert isinstance(page, Page)
        reflector.listed(page)
        for number in range(5):
            reflector.failed(failure, number * 100.0)
        assert reflector.step(1e6) == List(PAGE)


def test_a_server_that_forgets_while_it_is_read_is_not_read_in_a_tight_loop(
    reflector: Reflector, store: Store
) -> None:
    waits, now = [], 0.0
    for _ in range(8):
        read_list(reflector, store, now)
        reflector.failed(EXPIRED, now)
        step = reflector.step(now)
        waits.append(step.until - now if isinstance(step, Wait) else 0.0)
        now += waits[-1]
    assert waits[0] == 0.0
    assert waits[1] >= 0.8
    assert waits[-1] == pytest.approx(30.0)
    read_list(reflector, store, now)
    reflector.heard([store.bookmark()])
    reflector.failed(EXPIRED, now)
    assert isinstance(reflector.step(now), List)


def test_a_kind_that_is_not_served_is_looked_for_from_time_to_time(
    reflector: Reflector, store: Store
) -> None:
    read_list(reflector, store)
    reflector.failed(Failure(404), 0.0)
    assert isinstance(reflector.step(100.0), Look)
    assert told(reflector.looked(100.0, served=False)) == (set(), {A, B})
    assert reflector.absent
    assert reflector.synced
    assert isinstance(reflector.step(100.0), Wait)
    assert isinstance(reflector.step(200.0), Look)


def test_a_kind_that_appears_is_read_without_delay_where_that_is_told(
    reflector: Reflector, store: Store
) -> None:
    reflector.failed(Failure(404), 0.0)
    reflector.looked(100.0, served=False)
    reflector.wake()
    assert isinstance(reflector.step(100.0), Look)
    assert not reflector.looked(100.0, served=True)
    assert told(read_list(reflector, store, 100.0)) == ({A, B}, set())
    assert not reflector.absent


def test_nothing_is_forgotten_while_only_the_server_is_in_doubt(
    reflector: Reflector, store: Store
) -> None:
    read_list(reflector, store)
    reflector.failed(Failure(404), 0.0)
    assert not reflector.looked(100.0, served=True)
    assert not read_list(reflector, store, 100.0)


def test_trouble_is_told_until_something_goes_well(reflector: Reflector, store: Store) -> None:
    reflector.failed(Failure(403, "Forbidden", "not allowed"), 0.0)
    assert str(reflector.trouble) == "403 Forbidden: not allowed"
    page = store.page(0, "")
    assert isinstance(page, Page)
    reflector.listed(page)
    assert reflector.trouble is None


def test_a_watch_that_is_answered_ends_the_trouble_before_anything_is_heard(
    reflector: Reflector, store: Store
) -> None:
    read_list(reflector, store)
    assert isinstance(reflector.step(0.0), Watch)
    reflector.failed(Failure(429, "TooManyRequests", "storage is initializing", 7.0), 0.0)
    assert reflector.trouble is not None
    assert reflector.step(0.0) == Wait(7.0)
    assert isinstance(reflector.step(7.0), Watch), "no list is read for that"
    assert reflector.watching(), "news"
    assert not reflector.watching(), "no news"
