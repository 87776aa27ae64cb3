"""Many clients of one Gateway: what a change costs each of them, and what they share."""

from __future__ import annotations

import sys

import pytest

from serai.xds.delta import DeltaRequest, DeltaResponse, DeltaStream
from serai.xds.wire import encode_delta
from serai.xds.world import World
from unit.xds.speaker import PROXY, C, E, changes, cluster, endpoints

CLIENTS = 500
FEW, MANY = 20, 2_000
ROOM = 1_000
"""Bytes of a table that may have held a name or two."""


def world_of(services: int) -> World:
    world = World()
    world.apply(changes(*(endpoints(f"c{number}") for number in range(services))))
    return world


def synced(world: World, services: int) -> DeltaStream:
    """A client that has all endpoints, and said so."""
    stream = DeltaStream(world.resources(PROXY))
    names = tuple(f"c{number}" for number in range(services))
    said = stream.receive(DeltaRequest(E, subscribe=names), 0.0)
    while said:
        said = [each for one in said for each in answered(stream, one)]
    stream.events()
    return stream


def answered(stream: DeltaStream, response: DeltaResponse) -> list[DeltaResponse]:
    return stream.receive(DeltaRequest(response.type, nonce=response.nonce), 1.0)


def calls_for_a_change(services: int) -> int:
    """What one client does for one change, from hearing of it to its answer."""
    world = world_of(services)
    stream = synced(world, services)
    changed = world.apply(changes(endpoints("c7", "2")))[PROXY]
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        (response,) = stream.update(changed, 1.0)
        encode_delta(response)
        assert not answered(stream, response)
    finally:
        sys.setprofile(None)
    return calls


def test_a_change_is_one_resource_for_each_and_the_same_bytes_for_all() -> None:
    world = world_of(FEW)
    clients = [synced(world, FEW) for _ in range(CLIENTS)]
    changed = world.apply(changes(endpoints("c7", "2")))[PROXY]
    sent = [each for client in clients for each in client.update(changed, 1.0)]
    assert len(sent) == CLIENTS
    (entry,) = {id(each): each for response in sent for each in response.resources}.values()
    assert (entry.name, entry.version) == ("c7", "2")
    assert len({encode_delta(response) for response in sent}) == 1
    quiet = [client.tick(1.0) for client in clients]
    assert not any(quiet)


def test_what_a_client_does_for_a_change_does_not_grow_with_what_it_has() -> None:
    assert calls_for_a_change(MANY) == calls_for_a_change(FEW) < 250


def test_a_client_that_has_all_it_asked_for_keeps_no_room_for_what_it_waited_for() -> None:
    # Empty tables stay as large as they were, and are looked through as if they were full.
    stream = synced(world_of(MANY), MANY)
    (ledger,) = stream.conversation.ledgers.values()
    assert len(ledger.held) == MANY
    tables = (ledger.dirty, ledger.unsure, ledger.forced, ledger.waiting, ledger.kept)
    assert sum(map(sys.getsizeof, tables)) < ROOM


def test_clients_share_the_names_that_they_ask_for() -> None:
    world = world_of(FEW)
    clients = [synced(world, FEW) for _ in range(2)]
    one, other = ([*each.conversation.ledgers[E].names] for each in clients)
    assert [id(name) for name in one] == [id(name) for name in other]


@pytest.mark.parametrize("storm", [10, 1_000])
def test_what_changes_while_a_client_is_busy_comes_at_once_when_it_has_answered(
    storm: int,
) -> None:
    world = world_of(MANY)
    stream = synced(world, MANY)
    first = world.apply(changes(endpoints("c0", "2")))[PROXY]
    (unanswered,) = stream.update(first, 1.0)
    for number in range(storm):
        version = str(3 + number % 2)
        changed = world.apply(changes(endpoints(f"c{1 + number // 2}", version)))[PROXY]
        assert not stream.update(changed, 1.0)
    (response,) = answered(stream, unanswered)
    assert {each.name for each in response.resources} == {
        f"c{1 + number}" for number in range(storm // 2)
    }
    assert not answered(stream, response)


def test_a_client_that_comes_late_has_no_part_in_what_others_wait_for() -> None:
    world = World()
    world.apply(changes(cluster("a", "a"), endpoints("a")))
    slow, quick = DeltaStream(world.resources(PROXY)), DeltaStream(world.resources(PROXY))
    for stream in (slow, quick):
        assert stream.receive(DeltaRequest(C), 0.0)
    (response,) = quick.receive(DeltaRequest(E, subscribe=("a",)), 0.0)
    assert not answered(quick, response)
    changed = world.apply(changes(endpoints("a", "2")))[PROXY]
    assert [len(each.resources) for each in quick.update(changed, 1.0)] == [1]
    assert not slow.update(changed, 1.0)
